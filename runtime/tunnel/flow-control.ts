// How many bytes may be on their way, per stream and in total. Pure: it is told the time.
//
// (FLOW-1) A sender never sends a byte it has no credit for; credit is never negative.
// (FLOW-2) Credit given out plus bytes given out and not yet consumed never exceed the stream's window.
// (FLOW-3) Windows together grow by at most half of a budget, so that there is room for what really waits.

import { assert } from "#std/assert.ts";

/** Credit above this is a broken peer: no window is that large. */
const CREDIT_MAX = 0x7f_ff_ff_ff;
/** Round trips shorter than this count as this: clocks and event loops are not finer. */
const ROUND_TRIP_FLOOR_MS = 0.2;
/** A window that lasts longer than this is large enough. */
const GROW_WITHIN_ROUND_TRIPS = 3;
/** A doubled window helped when the stream became faster by this factor; otherwise the reader or the path is the limit. */
const HELPED_FACTOR = 1.3;
/** Less credit than this is not told by a frame of its own, unless the window is that small. */
const RETURN_BYTES_MIN = 65_536;
/** A rate is taken over at least this long: shorter ones show how the event loop bunches messages. */
const MEASURE_MS_MIN = 10;
const MEASURE_ROUND_TRIPS = 2;
/** Measurements until a growth that did not help is tried again; twice as many after each failure, up to the second number. */
const HOLD_FIRST = 4;
const HOLD_MAX = 64;
/** Until the first ping is answered. */
const ROUND_TRIP_UNKNOWN_MS = 50;

export class SendCredit {
  #available: number;

  constructor(initialBytes: number) {
    this.#available = initialBytes;
  }

  get available(): number {
    return this.#available;
  }

  take(bytes: number): void {
    this.#available -= bytes;
    assert(this.#available >= 0, `Credit went below zero by ${String(-this.#available)} bytes`);
  }

  /** False: the peer granted more than there can be. */
  grant(bytes: number): boolean {
    this.#available += bytes;
    return this.#available <= CREDIT_MAX;
  }
}

export interface WindowOptions {
  readonly initialBytes: number;
  readonly maxBytes: number;
  /** A stream that has the tunnel for itself gets this much at once. */
  readonly aloneBytes: number;
  readonly budget: ByteBudget;
}

export interface Pace {
  readonly nowMs: number;
  /** The shortest one seen: a longer one is a queue, and a larger window would only make that queue longer. */
  readonly roundTripMs: number | undefined;
  /** No other stream moved lately: a long queue delays nobody. */
  readonly isAlone: boolean;
}

const NO_TRIAL = { phase: "none" } as const;

/** What the peer may send to us on one stream. */
export class ReceiveWindow {
  readonly #options: WindowOptions;
  #windowBytes: number;
  /** What the peer may still send. */
  #granted: number;
  #consumed = 0;
  #measuredSinceMs: number | undefined;
  #measuredBytes = 0;
  #trial: Trial = NO_TRIAL;
  #holdFor = HOLD_FIRST;
  /** Of a growth that is being undone. */
  #toWithhold = 0;
  /** What the window is larger by because the stream is alone. */
  #lent = 0;

  constructor(options: WindowOptions) {
    this.#options = options;
    this.#windowBytes = options.initialBytes;
    this.#granted = options.initialBytes;
  }

  get windowBytes(): number {
    return this.#windowBytes;
  }

  /** False: the peer sent more than it was granted. */
  receive(bytes: number): boolean {
    this.#granted -= bytes;
    return this.#granted >= 0;
  }

  /** The reader took these bytes. */
  consume(bytes: number): void {
    this.#consumed += bytes;
  }

  /**
   * True when it is worth telling the peer. What is consumed and not yet told is missing from the window: an eighth of a large one. Small
   * ones are told in steps that cost few frames.
   */
  get isReturnDue(): boolean {
    return this.#consumed >= Math.min(this.#windowBytes / 2, Math.max(RETURN_BYTES_MIN, this.#windowBytes / 8));
  }

  /**
   * Credit to give now; 0: nothing to say. When a whole window lasts less than a few round trips, the peer spends its time waiting for
   * credit: the window doubles. It stays so only if the stream became faster by it; else the larger window would just be a longer queue
   * in front of all other streams, and goes back.
   */
  takeReturn(pace: Pace): number {
    this.#measuredBytes += this.#consumed;
    const growth = this.#lend(pace) + this.#resize(pace);
    const bytes = this.#consumed + growth - this.#withhold();
    this.#consumed = 0;
    this.#granted += bytes;
    assert(this.#granted <= this.#windowBytes, "More credit given than the window");
    return bytes;
  }

  /** The stream is over: what its window had grown by is free for others. */
  release(): void {
    this.#options.budget.shrink(this.#windowBytes - this.#options.initialBytes);
    this.#windowBytes = this.#options.initialBytes;
  }

  /**
   * On a short path the event loops at both ends make the round trip longer than any ping says, so measuring it cannot tell that a
   * stream waits for credit. Room is lent while nobody else needs the wire, and taken back when somebody does.
   */
  #lend({ isAlone }: Pace): number {
    if (!isAlone) {
      this.#toWithhold += this.#lent;
      this.#lent = 0;
      return 0;
    }
    const { aloneBytes, maxBytes, budget } = this.#options;
    const loan = Math.min(aloneBytes, maxBytes) - this.#windowBytes;
    if (loan <= 0 || this.#toWithhold > 0 || !budget.tryGrow(loan)) return 0;
    this.#windowBytes += loan;
    this.#lent += loan;
    return loan;
  }

  /** Looks at the rate of the last few round trips; returns by how much the window grew. */
  #resize({ nowMs, roundTripMs }: Pace): number {
    // The first return tells nothing: how long the stream was idle before is unknown.
    if (this.#measuredSinceMs === undefined) return this.#measureFrom(nowMs);
    const elapsedMs = nowMs - this.#measuredSinceMs;
    const pathMs = Math.max(roundTripMs ?? ROUND_TRIP_UNKNOWN_MS, ROUND_TRIP_FLOOR_MS);
    // Whole round trips, because a stream that waits for credit comes in one burst per round trip.
    if (elapsedMs < Math.max(MEASURE_MS_MIN, MEASURE_ROUND_TRIPS * pathMs)) return 0;
    const rate = this.#measuredBytes / elapsedMs;
    this.#measureFrom(nowMs);
    switch (this.#trial.phase) {
      case "hold":
        this.#trial = this.#trial.measurements > 1 ? { ...this.#trial, measurements: this.#trial.measurements - 1 } : NO_TRIAL;
        return 0;
      case "settling": // What was granted by the growth is only now on its way.
        this.#trial = { ...this.#trial, phase: "measuring" };
        return 0;
      case "measuring":
        if (rate < this.#trial.rateBefore * HELPED_FACTOR) return this.#undo(this.#trial.growth);
        this.#holdFor = HOLD_FIRST;
        break;
      case "none":
        break;
    }
    return this.#windowBytes / rate <= GROW_WITHIN_ROUND_TRIPS * pathMs ? this.#grow(rate) : this.#endTrial();
  }

  #measureFrom(nowMs: number): 0 {
    this.#measuredSinceMs = nowMs;
    this.#measuredBytes = 0;
    return 0;
  }

  #grow(rateBefore: number): number {
    const growth = Math.min(this.#windowBytes, this.#options.maxBytes - this.#windowBytes);
    if (growth <= 0 || this.#toWithhold > 0 || !this.#options.budget.tryGrow(growth)) return this.#endTrial();
    this.#windowBytes += growth;
    this.#trial = { phase: "settling", growth, rateBefore };
    return growth;
  }

  #undo(growth: number): number {
    this.#toWithhold += growth;
    this.#trial = { phase: "hold", measurements: this.#holdFor };
    this.#holdFor = Math.min(this.#holdFor * 2, HOLD_MAX);
    return 0;
  }

  /** Credit that the peer has stays valid: a window shrinks by what is consumed and not returned. */
  #withhold(): number {
    const bytes = Math.min(this.#toWithhold, this.#consumed);
    this.#toWithhold -= bytes;
    this.#windowBytes -= bytes;
    this.#options.budget.shrink(bytes);
    return bytes;
  }

  #endTrial(): 0 {
    this.#trial = NO_TRIAL;
    return 0;
  }
}

/** What a growth of the window brought: first what it changed has to arrive, then it is measured. */
type Trial =
  | { readonly phase: "none" }
  | { readonly phase: "settling" | "measuring"; readonly growth: number; readonly rateBefore: number }
  | { readonly phase: "hold"; readonly measurements: number };

/** Memory that streams share: a tunnel's, whose parent is the process's. */
export class ByteBudget {
  readonly limitBytes: number;
  readonly #parent: ByteBudget | undefined;
  #waiting = 0;
  #grown = 0;

  constructor(limitBytes: number, parent?: ByteBudget) {
    this.limitBytes = limitBytes;
    this.#parent = parent;
  }

  /** Bytes that wait for a reader or for the wire. */
  get waitingBytes(): number {
    return this.#waiting;
  }

  get grownBytes(): number {
    return this.#grown;
  }

  /** False: more waits now than allowed, here or in the parent. The bytes count all the same until they are removed. */
  addWaiting(bytes: number): boolean {
    this.#waiting += bytes;
    const parentFits = this.#parent?.addWaiting(bytes) ?? true;
    return parentFits && this.#waiting <= this.limitBytes;
  }

  removeWaiting(bytes: number): void {
    this.#waiting -= bytes;
    assert(this.#waiting >= 0, "More bytes removed than waited");
    this.#parent?.removeWaiting(bytes);
  }

  tryGrow(bytes: number): boolean {
    if (this.#grown + bytes > this.limitBytes / 2) return false;
    if (this.#parent !== undefined && !this.#parent.tryGrow(bytes)) return false;
    this.#grown += bytes;
    return true;
  }

  shrink(bytes: number): void {
    this.#grown -= bytes;
    assert(this.#grown >= 0, "Windows shrank by more than they had grown");
    this.#parent?.shrink(bytes);
  }
}
