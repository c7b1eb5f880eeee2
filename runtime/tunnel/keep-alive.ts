// Finds out that a peer is gone, and how far away it is.

import type { Clock } from "#std/clock.ts";
import { HELLO_TIME_MAX_MS, PING_INTERVAL_MS, SILENCE_MAX_MS } from "./limits.ts";

export interface KeepAliveOptions {
  readonly clock: Clock;
  /** One end's pings tell both that the other lives; the hub, with thousands of tunnels, leaves them to the agents. */
  readonly pingsWhenHeard: boolean;
  readonly sendPing: () => void;
}

/** One after another at the start: the first answer of a busy process says little about the path. */
const FIRST_PINGS = 8;
/** While windows grow by it, the round trip is measured again no more often than this. */
const REFRESH_INTERVAL_MS = 100;

export class KeepAlive {
  readonly #options: KeepAliveOptions;
  #heardAtMs: number;
  #pingAtMs: number | undefined;
  #pongAtMs = 0;
  #pongs = 0;
  #roundTripMs: number | undefined;

  constructor(options: KeepAliveOptions) {
    this.#options = options;
    this.#heardAtMs = options.clock.monotonic();
  }

  /** The shortest one seen: longer ones are queues. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  /** The round trip is about to be used: worth another measurement, for the next time. */
  refresh(): void {
    if (this.#pingAtMs === undefined && this.#options.clock.monotonic() - this.#pongAtMs >= REFRESH_INTERVAL_MS) this.ping();
  }

  onHeard(): void {
    this.#heardAtMs = this.#options.clock.monotonic();
  }

  ping(): void {
    this.#pingAtMs ??= this.#options.clock.monotonic();
    this.#options.sendPing();
  }

  onPong(): void {
    this.onHeard();
    if (this.#pingAtMs === undefined) return;
    const roundTripMs = this.#heardAtMs - this.#pingAtMs;
    this.#roundTripMs = Math.min(roundTripMs, this.#roundTripMs ?? roundTripMs);
    this.#pingAtMs = undefined;
    this.#pongAtMs = this.#heardAtMs;
    this.#pongs += 1;
    if (this.#pongs < FIRST_PINGS) this.ping();
  }

  /** Resolves with what is wrong, or with undefined once the signal aborts. */
  async watch(isOpening: () => boolean, signal: AbortSignal): Promise<"hello-timeout" | "silent" | undefined> {
    const { clock, pingsWhenHeard } = this.#options;
    await clock.sleep(HELLO_TIME_MAX_MS, signal);
    if (!signal.aborted && isOpening()) return "hello-timeout";
    while (!signal.aborted) {
      const silentMs = clock.monotonic() - this.#heardAtMs;
      if (silentMs >= SILENCE_MAX_MS) return "silent";
      if (pingsWhenHeard || silentMs >= PING_INTERVAL_MS) this.ping();
      await clock.sleep(PING_INTERVAL_MS, signal);
    }
    return undefined;
  }
}
