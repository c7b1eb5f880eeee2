// What a user is told when a command cannot do its work: what is wrong, and what to do about it.

import { ApiError, isForbidden, isUnauthorized, isUnreachable } from "#kube/errors.ts";
import { errorChain } from "#std/errors.ts";

/** What a user can mend; `fix` says how. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly fix: string;

  constructor(message: string, fix: string) {
    super(message);
    this.fix = fix;
  }
}

/** `error: …` and a line that helps. */
export function problemText(error: unknown): string {
  if (error instanceof Problem) return `error: ${error.message}\n  ${error.fix}\n`;
  if (isForbidden(error)) {
    return `error: ${error.message}\n  Ask an administrator of the parent for "get" and "list" on that kind, group apps.clusternet.io or clusters.clusternet.io\n`;
  }
  if (isUnauthorized(error))
    return `error: The parent does not know you: ${error.message}\n  Check the user of your kubeconfig's context\n`;
  if (isUnreachable(error))
    return `error: The parent does not answer: ${error.message}\n  Check the server of your kubeconfig's context\n`;
  if (error instanceof ApiError) return `error: ${error.message}\n  The parent refused the request (${error.reason})\n`;
  return `error: ${errorChain(error)}\n`;
}
