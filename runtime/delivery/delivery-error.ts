// DeliveryError: a child did not take everything. Problems of single objects, as one failure of the reconcile.

import { problemsText, type ObjectProblem } from "./problems.ts";

/** What is wrong in a child heals there, and nobody tells us: a permission, a quota, the API server itself. */
const RETRY_WITHIN_MS = 60_000;

/** The child did not take everything. The status says what; the controller tries again, later each time. */
export class DeliveryError extends Error {
  override readonly name = "DeliveryError";
  /** The longest that the child asked us to wait; the controller does. */
  readonly retryAfterMs: number;
  readonly retryWithinMs = RETRY_WITHIN_MS;

  constructor(problems: readonly ObjectProblem[]) {
    super(problemsText(problems));
    this.retryAfterMs = Math.max(0, ...problems.map(({ retryAfterMs = 0 }) => retryAfterMs));
  }
}
