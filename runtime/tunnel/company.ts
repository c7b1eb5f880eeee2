// Which stream has its tunnel for itself, as this end sees it: silent streams are no company.

import type { Clock } from "#std/clock.ts";
import { ALONE_AFTER_MS } from "./limits.ts";

export class Company {
  readonly #clock: Clock;
  #lastMoved = 0;
  #sinceMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The stream was opened or its data arrived. */
  moved(streamId: number): void {
    if (streamId === this.#lastMoved) return;
    this.#lastMoved = streamId;
    this.#sinceMs = this.#clock.monotonic();
  }

  /** No other stream moved for a while. */
  isAlone(streamId: number): boolean {
    return streamId === this.#lastMoved && this.#clock.monotonic() - this.#sinceMs >= ALONE_AFTER_MS;
  }
}
