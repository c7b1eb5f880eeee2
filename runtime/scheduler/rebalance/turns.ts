// When does a Subscription look whether it is balanced, and may it begin to move? One memory for the process that leads.
//
// It may be lost: plans on their way are in their statuses, and a first look comes within an interval.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { Change } from "#kube/informer.ts";
import { keyTextOf } from "#kube/object.ts";
import { canonicalHash } from "#std/canonical-json.ts";
import { rebalanceOf } from "./settings.ts";

/** For one decision. Times are milliseconds since the epoch. */
export interface RebalanceTurn {
  /** Its interval is over: it looks. */
  readonly isDue: boolean;
  readonly nextLookAt: number;
  /** Fewer than the most are being rebalanced. */
  readonly mayStart: boolean;
}

export const REBALANCES_MAX_DEFAULT = 5;

/** For a command that explains, and for who only asks what is: it never begins anything. */
export const noTurn: RebalanceTurn = { isDue: false, nextLookAt: Number.POSITIVE_INFINITY, mayStart: false };

export class RebalanceTurns {
  readonly #atATimeMax: number;
  readonly #moving = new Set<string>();
  /** The interval in which each was looked at last. */
  readonly #looked = new Map<string, number>();

  constructor(atATimeMax: number) {
    this.#atATimeMax = atATimeMax;
  }

  get moving(): number {
    return this.#moving.size;
  }

  onChange(change: Change<Subscription>): void {
    if (change.type === "deleted") {
      this.#moving.delete(keyTextOf(change.previous));
      this.#looked.delete(keyTextOf(change.previous));
    } else this.#count(keyTextOf(change.object), change.object.status?.rebalance?.phase);
  }

  of(subscription: Subscription, now: number): RebalanceTurn {
    const key = keyTextOf(subscription);
    const mayStart = this.#moving.has(key) || this.#moving.size < this.#atATimeMax;
    const { policy, intervalSeconds } = rebalanceOf(subscription);
    if (policy === "Never") return { ...noTurn, mayStart };
    const intervalMs = intervalSeconds * 1_000;
    const offsetMs = offsetOf(subscription, intervalMs);
    const current = Math.floor((now - offsetMs) / intervalMs);
    const looked = this.#looked.get(key);
    if (looked === undefined) this.#looked.set(key, current);
    return { isDue: looked !== undefined && current !== looked, nextLookAt: (current + 1) * intervalMs + offsetMs, mayStart };
  }

  /** It was looked at, and this is what came of it. */
  decided(subscription: Subscription, { now, phase }: { readonly now: number; readonly phase: string | undefined }): void {
    const key = keyTextOf(subscription);
    const { policy, intervalSeconds } = rebalanceOf(subscription);
    const intervalMs = intervalSeconds * 1_000;
    if (policy === "Never") this.#looked.delete(key);
    else this.#looked.set(key, Math.floor((now - offsetOf(subscription, intervalMs)) / intervalMs));
    this.#count(key, phase ?? subscription.status?.rebalance?.phase);
  }

  #count(key: string, phase: string | undefined): void {
    if (phase === "CarryingOut") this.#moving.add(key);
    else this.#moving.delete(key);
  }
}

/** Spread over the interval, and the same for as long as the Subscription lives. */
function offsetOf({ metadata: { uid = "", namespace = "", name } }: Subscription, intervalMs: number): number {
  return Number.parseInt(canonicalHash(uid === "" ? `${namespace}/${name}` : uid).slice(0, 8), 16) % intervalMs;
}
