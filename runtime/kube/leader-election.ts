// A leader lock on a Lease: at most one candidate leads.
//
//   waiting ──acquired──▶ leading ──signal aborts──▶ released
//                            └──not renewed in time, or taken by another──▶ lost (the process ends)
//
// (LE-1) A candidate takes a Lease only when its record has not changed for its duration, by the candidate's own clock: clocks of
//        different machines are never compared.
// (LE-2) `lead` is told to stop before another candidate can take over: the renew deadline is shorter than the lease.
// (LE-3) Every write carries the resourceVersion that was read, so of two candidates one gets a Conflict.

import { childController, withTimeLimit } from "#std/abort.ts";
import { assert } from "#std/assert.ts";
import { backoffMs } from "#std/backoff.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import { Lease } from "./builtin-kinds.ts";
import type { Client } from "./client.ts";
import { isAlreadyExists, isConflict } from "./errors.ts";

export interface LeaderElectionOptions {
  readonly client: Client;
  readonly lease: { readonly namespace: string; readonly name: string };
  /** Unique per process: host name and something random. */
  readonly identity: string;
  readonly leaseDurationMs?: number;
  readonly renewDeadlineMs?: number;
  readonly retryPeriodMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface LeaderElection {
  readonly isLeader: boolean;
  /**
   * Waits for the lock, then runs `lead` under a signal that aborts when the lock is lost or `signal` aborts. Releases the lock
   * after `lead` has settled. Rejects with LeadershipLostError when it was lost.
   */
  run(lead: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void>;
}

export class LeadershipLostError extends Error {
  override readonly name = "LeadershipLostError";
}

const LEASE_DURATION_MS = 15_000;
const RENEW_DEADLINE_MS = 10_000;
const RETRY_PERIOD_MS = 2_000;
const RELEASE_MS_MAX = 3_000;

export function createLeaderElection(options: LeaderElectionOptions): LeaderElection {
  return new LeaseElection(options);
}

class LeaseElection implements LeaderElection {
  readonly #client: Client;
  readonly #key: { readonly namespace: string; readonly name: string };
  readonly #identity: string;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  readonly #clock: Clock;
  readonly #log: Logger;
  #isLeader = false;
  /** The Lease as we last saw or wrote it, and when we first saw that version of it. */
  #seen: { readonly lease: Lease; readonly at: number } | undefined;

  constructor(options: LeaderElectionOptions) {
    const { client, lease, identity, clock, log } = options;
    this.#client = client;
    this.#key = lease;
    this.#identity = identity;
    this.#leaseDurationMs = options.leaseDurationMs ?? LEASE_DURATION_MS;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? RENEW_DEADLINE_MS;
    this.#retryPeriodMs = options.retryPeriodMs ?? RETRY_PERIOD_MS;
    this.#clock = clock;
    this.#log = log.with({ lease: lease.name, identity });
    assert(this.#renewDeadlineMs < this.#leaseDurationMs, "The renew deadline must be shorter than the lease (LE-2)");
    assert(this.#retryPeriodMs < this.#renewDeadlineMs, "The retry period must be shorter than the renew deadline");
  }

  get isLeader(): boolean {
    return this.#isLeader;
  }

  async run(lead: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    if (!(await this.#acquire(signal))) return;
    this.#isLeader = true;
    this.#log.info("leader-election.acquired");
    using leading = childController(signal);
    const renewing = this.#keep(leading);
    try {
      await lead(leading.signal);
    } finally {
      const isLost = leading.signal.reason instanceof LeadershipLostError;
      leading.abort(new Error("No longer leading"));
      await renewing;
      this.#isLeader = false;
      if (!isLost) await this.#release();
    }
    if (leading.signal.reason instanceof LeadershipLostError) throw leading.signal.reason;
  }

  async #acquire(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      try {
        if (await this.#tryToHold(signal)) return true;
      } catch (error) {
        if (isAborted(signal)) {
          if (!this.#heldByOther()) await this.#release();
          return false;
        }
        this.#log.warn("leader-election.failed", { error });
      }
      // Jitter, so that candidates that started together do not collide for ever.
      await this.#clock.sleep(backoffMs(0, { firstMs: this.#retryPeriodMs, maxMs: this.#retryPeriodMs }), signal);
    }
    return false;
  }

  /** Renews until the signal aborts; aborts it when that fails for too long. */
  async #keep(leading: AbortController): Promise<void> {
    const { signal } = leading;
    let renewedAt = this.#clock.monotonic();
    while (!signal.aborted) {
      await this.#clock.sleep(this.#retryPeriodMs, signal);
      if (isAborted(signal)) return;
      const startedAt = this.#clock.monotonic();
      const leftMs = Math.max(0, this.#renewDeadlineMs - (startedAt - renewedAt));
      let problem = "The lock was not renewed in time";
      try {
        const limit = { limitMs: Math.max(1, leftMs), what: "Renewing the leader lock" };
        if (await withTimeLimit(limit, (limited) => this.#tryToHold(limited), signal)) {
          // From when we asked, not from when the answer came: another candidate counts from the write.
          renewedAt = startedAt;
          continue;
        }
        if (this.#heldByOther()) problem = `The lock is held by ${this.#seen?.lease.spec?.holderIdentity ?? "nobody"}`;
      } catch (error) {
        if (isAborted(signal)) return;
        this.#log.warn("leader-election.renew-failed", { error });
      }
      if (this.#heldByOther() || this.#clock.monotonic() - renewedAt >= this.#renewDeadlineMs) {
        this.#isLeader = false;
        this.#log.error("leader-election.lost", { problem });
        leading.abort(new LeadershipLostError(problem));
      }
    }
  }

  #heldByOther(): boolean {
    const holder = this.#seen?.lease.spec?.holderIdentity ?? "";
    return holder !== "" && holder !== this.#identity;
  }

  /** One round: create, take over or renew. false: another one holds it, or was quicker. */
  async #tryToHold(signal: AbortSignal): Promise<boolean> {
    const current = this.#isLeader ? this.#seen?.lease : await this.#look(signal);
    if (current !== undefined && this.#heldByOther() && !this.#isExpired()) return false;
    try {
      const held = this.#held(current);
      const written =
        current === undefined ? await this.#client.create(Lease, held, signal) : await this.#client.update(Lease, held, signal);
      this.#see(written);
      return true;
    } catch (error) {
      if (!isConflict(error) && !isAlreadyExists(error)) throw error;
      // Someone wrote since we looked: a rival, or somebody who put a label on it. The next round looks again.
      await this.#look(signal);
      return this.#isLeader && !this.#heldByOther() ? this.#tryToHoldAgain(signal) : false;
    }
  }

  async #tryToHoldAgain(signal: AbortSignal): Promise<boolean> {
    const current = this.#seen?.lease;
    if (current === undefined) return false;
    this.#see(await this.#client.update(Lease, this.#held(current), signal));
    return true;
  }

  async #look(signal: AbortSignal): Promise<Lease | undefined> {
    const lease = await this.#client.get(Lease, this.#key, signal);
    if (lease === undefined) this.#seen = undefined;
    else this.#see(lease);
    return lease;
  }

  #see(lease: Lease): void {
    const isNews = this.#seen?.lease.metadata.resourceVersion !== lease.metadata.resourceVersion;
    this.#seen = { lease, at: isNews ? this.#clock.monotonic() : (this.#seen?.at ?? this.#clock.monotonic()) };
  }

  #isExpired(): boolean {
    if (this.#seen === undefined) return true;
    const durationMs = (this.#seen.lease.spec?.leaseDurationSeconds ?? 0) * 1000;
    return this.#clock.monotonic() - this.#seen.at >= durationMs;
  }

  #held(current: Lease | undefined): Lease {
    const now = microTime(this.#clock.now());
    const isOurs = current?.spec?.holderIdentity === this.#identity;
    const transitions = current?.spec?.leaseTransitions ?? 0;
    return {
      ...(current ?? { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: this.#key }),
      spec: {
        ...current?.spec,
        holderIdentity: this.#identity,
        leaseDurationSeconds: Math.ceil(this.#leaseDurationMs / 1000),
        acquireTime: isOurs ? (current.spec.acquireTime ?? now) : now,
        renewTime: now,
        leaseTransitions: isOurs || current === undefined ? transitions : transitions + 1,
      },
    };
  }

  /**
   * Lets the next candidate start at once instead of after the lease. Best effort: it expires anyway. A write of ours that was cut
   * off may have been done, or may be done yet, so what we saw last is not what there is: the Lease is read again, and again after a
   * Conflict.
   */
  async #release(): Promise<void> {
    const limit = { limitMs: RELEASE_MS_MAX, what: "Releasing the leader lock" };
    try {
      // The caller's signal is aborted already: this is the last thing we do under it.
      const isReleased = await withTimeLimit(limit, (signal) => this.#giveBack(signal), new AbortController().signal);
      if (isReleased) this.#log.info("leader-election.released");
    } catch (error) {
      this.#log.warn("leader-election.release-failed", { error });
    }
  }

  /** false: it is not ours. */
  async #giveBack(signal: AbortSignal): Promise<boolean> {
    const current = await this.#look(signal);
    if (current?.spec?.holderIdentity !== this.#identity) return false;
    const now = microTime(this.#clock.now());
    const spec = { ...current.spec, holderIdentity: "", leaseDurationSeconds: 1, acquireTime: now, renewTime: now };
    try {
      await this.#client.update(Lease, { ...current, spec }, signal);
      return true;
    } catch (error) {
      if (!isConflict(error)) throw error;
      return this.#giveBack(signal);
    }
  }
}

/** metav1.MicroTime: kube-apiserver refuses fewer or more than six digits. */
function microTime(now: number): string {
  return `${new Date(now).toISOString().slice(0, -1)}000Z`;
}

/** A call, because the compiler believes that what it saw before an await is still so. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
