// Room that is being freed, and for whom: the memory of the one process that leads.
//
//   (none) ──nominate()──▶ planned ──confirm(): its decision was carried out──▶ open; undo() ──▶ (none)
//                          open ──progress(): every replica is placed──▶ (none)
//                           ├────end(): the preemptor changed or is gone──▶ (none), and for a while it may not nominate
//                           └────it is too old──▶ (none), and its clusters are avoided for longer
//
// (NOM-1) Bounded in number and age.
// (NOM-2) Who has to give is told how many replicas may stay, not how many go: told twice, it gives once.
// (NOM-3) The room is held against everybody of lower priority, and of equal priority unless that one has waited for longer.
// (NOM-4) Nothing here is needed to be right: who forgets it all waits until what is being freed is free, and begins anew.

import type { Held } from "#scheduler/capacity-ledger.ts";
import type { Claim, Giver, Limit, Limits, Plan } from "./room.ts";

const NOMINATIONS_MAX = 1_000;
/** Pods that end take their grace period; more is not to be expected. */
const NOMINATION_MS_MAX = 5 * 60_000;
/** What somebody gave is free by then; before that nobody knows whether it is still coming. */
export const SETTLE_MS = 60_000;
/** Freed, and did not help: it is in pieces, or a quota is in the way. Not again soon. */
const AVOIDED_MS = 30 * 60_000;
const AVOIDED_MAX = 5_000;

export interface Preemptor {
  /** `namespace/name`. */
  readonly key: string;
  readonly priority: number;
  /** For people. */
  readonly text: string;
  /** Of what was decided on: another one, and the plan is void. */
  readonly generation: number;
}

interface OpenClaim extends Claim {
  /** Replicas that have no room yet. */
  left: number;
}

interface Open {
  readonly preemptor: Preemptor;
  readonly plan: Plan;
  readonly claims: readonly OpenClaim[];
  readonly at: number;
  /** Before that nobody gives anything, but it counts for other plans. */
  isConfirmed: boolean;
}

/** What one feed of a Subscription gives in one cluster, to all that take from it. */
interface Pledge {
  /** Replicas before anybody took some. */
  readonly share: number;
  /** Given to who is placed by now. */
  given: number;
  readonly owed: Map<string, number>;
}

export class Nominations {
  readonly #open = new Map<string, Open>();
  /** The same, by the clusters in which they hold room. */
  readonly #byCluster = new Map<string, Set<Open>>();
  /** By Subscription, then by cluster and feed. */
  readonly #pledges = new Map<string, Map<string, Pledge>>();
  /** Preemptor -> until then it may not nominate. */
  readonly #barred = new Map<string, number>();
  /** Preemptor and cluster -> until then. */
  readonly #avoided = new Map<string, { readonly preemptor: string; readonly cluster: string; readonly until: number }>();

  get size(): number {
    return this.#open.size;
  }

  /** Everything is forgotten. */
  clear(): void {
    for (const memory of [this.#open, this.#byCluster, this.#pledges, this.#barred, this.#avoided]) memory.clear();
  }

  isFull(now: number): boolean {
    this.#expire(now);
    return this.#open.size >= NOMINATIONS_MAX;
  }

  nominate(preemptor: Preemptor, plan: Plan, now: number): void {
    const open = {
      preemptor,
      plan,
      at: now,
      isConfirmed: false,
      claims: plan.claims.map((claim) => ({ ...claim, left: claim.replicas })),
    };
    this.#open.set(preemptor.key, open);
    for (const { cluster } of open.claims) mapped(this.#byCluster, cluster, () => new Set<Open>()).add(open);
    for (const { giver, replicas } of plan.givings) {
      const pledges = mapped(this.#pledges, giver.subscription, () => new Map<string, Pledge>());
      const { given = 0, owed = new Map<string, number>() } = pledges.get(placeOf(giver)) ?? {};
      // What it has beside what it owes already may be less by now.
      const share = giver.replicas + given + sumOf(owed);
      owed.set(preemptor.key, (owed.get(preemptor.key) ?? 0) + replicas);
      pledges.set(placeOf(giver), { share, given, owed });
    }
  }

  /** From now on who gives is told so. */
  confirm(key: string): void {
    const open = this.#open.get(key);
    if (open !== undefined) open.isConfirmed = true;
  }

  /** Its plan, while that holds. */
  of(key: string, now: number): Pick<Open, "plan" | "preemptor"> | undefined {
    this.#expire(now);
    return this.#open.get(key);
  }

  /** What it is decided to have now: what it has got is not held any more. */
  progress(
    key: string,
    { missing, shareOf }: { readonly missing: ReadonlyMap<string, number>; readonly shareOf: (claim: Claim) => number },
  ): void {
    const open = this.#open.get(key);
    if (open === undefined) return;
    const wanted = new Map(missing);
    for (const claim of open.claims) {
      const most = wanted.get(claim.feed) ?? 0;
      claim.left = Math.min(most, Math.max(0, claim.base + claim.replicas - shareOf(claim)));
      wanted.set(claim.feed, most - claim.left);
    }
    if (open.claims.every(({ left }) => left === 0)) this.#close(key, true);
  }

  /** It changed, is gone, or its decision was not carried out. */
  end(key: string, now: number): void {
    if (!this.#open.has(key)) return;
    this.#close(key, false);
    for (const [name, until] of this.#barred) if (until <= now) this.#barred.delete(name);
    this.#barred.set(key, now + SETTLE_MS);
  }

  /** As if it had never been made. */
  undo(key: string): void {
    this.#close(key, false);
  }

  isBarred(key: string, now: number): boolean {
    return (this.#barred.get(key) ?? Number.NEGATIVE_INFINITY) > now;
  }

  avoidedBy(key: string, now: number): ReadonlySet<string> {
    this.#expire(now);
    for (const [name, { until }] of this.#avoided) if (until <= now) this.#avoided.delete(name);
    return new Set([...this.#avoided.values()].flatMap(({ preemptor, cluster }) => (preemptor === key ? [cluster] : [])));
  }

  /** What is held in a cluster against who asks. */
  heldAgainst(asker: Pick<Preemptor, "key" | "priority">, cluster: string, now: number): readonly Held[] {
    this.#expire(now);
    const there = this.#byCluster.get(cluster);
    if (there === undefined) return [];
    const own = this.#open.get(asker.key);
    return [...there].flatMap(({ preemptor, claims, at }) => {
      const isEqual = preemptor.priority === asker.priority && (own === undefined || at < own.at);
      if (preemptor.key === asker.key || !(isEqual || preemptor.priority > asker.priority)) return [];
      const held = claims.filter((claim) => claim.cluster === cluster && claim.left > 0);
      return held.map(({ request, left }) => ({ request, replicas: left }));
    });
  }

  /** How many of its replicas may stay; undefined: nobody takes any. */
  limitsOf(
    giver: Pick<Preemptor, "key" | "priority">,
    now: number,
    which: "confirmed" | "planned" = "confirmed",
  ): Limits | undefined {
    this.#expire(now);
    const pledges = this.#pledges.get(giver.key);
    if (pledges === undefined) return undefined;
    return { of: (cluster, feed) => this.#limitOf({ ...giver, which }, pledges.get(placeOf({ cluster, feed }))) };
  }

  #limitOf(
    { priority, which }: { readonly priority: number; readonly which: "confirmed" | "planned" },
    pledge: Pledge | undefined,
  ): Limit | undefined {
    const owed = [...(pledge?.owed ?? [])].flatMap(([key, replicas]) => {
      const { preemptor, isConfirmed = false } = this.#open.get(key) ?? {};
      const isMeant = isConfirmed || which === "planned";
      // Its own priority may have been raised since.
      return preemptor !== undefined && isMeant && preemptor.priority > priority ? [{ by: preemptor.text, replicas }] : [];
    });
    if (pledge === undefined || owed.length === 0) return undefined;
    const taken = owed.reduce((sum, { replicas }) => sum + replicas, pledge.given);
    return {
      max: Math.max(0, pledge.share - taken),
      by: owed
        .map(({ by }) => by)
        .toSorted()
        .join(", "),
    };
  }

  #close(key: string, isPlaced: boolean): void {
    const open = this.#open.get(key);
    if (open === undefined) return;
    this.#open.delete(key);
    for (const { cluster } of open.claims) {
      const there = this.#byCluster.get(cluster);
      there?.delete(open);
      if (there?.size === 0) this.#byCluster.delete(cluster);
    }
    for (const { giver } of open.plan.givings) this.#release(key, giver, isPlaced);
  }

  #release(key: string, giver: Giver, isPlaced: boolean): void {
    const pledges = this.#pledges.get(giver.subscription);
    const pledge = pledges?.get(placeOf(giver));
    const owed = pledge?.owed.get(key);
    if (pledges === undefined || pledge === undefined || owed === undefined) return;
    pledge.owed.delete(key);
    if (isPlaced) pledge.given += owed;
    if (pledge.owed.size === 0) pledges.delete(placeOf(giver));
    if (pledges.size === 0) this.#pledges.delete(giver.subscription);
  }

  #expire(now: number): void {
    // The oldest is first.
    for (const [key, { at, claims }] of this.#open) {
      if (now - at < NOMINATION_MS_MAX) break;
      this.#close(key, false);
      for (const { cluster, left } of claims) if (left > 0) this.#avoid(key, cluster, now);
    }
  }

  #avoid(preemptor: string, cluster: string, now: number): void {
    this.#avoided.set(placeOf({ cluster, feed: preemptor }), { preemptor, cluster, until: now + AVOIDED_MS });
    const [oldest] = this.#avoided.keys();
    if (this.#avoided.size > AVOIDED_MAX && oldest !== undefined) this.#avoided.delete(oldest);
  }
}

function sumOf(owed: ReadonlyMap<string, number>): number {
  return [...owed.values()].reduce((sum, replicas) => sum + replicas, 0);
}

function placeOf({ cluster, feed }: Pick<Giver, "cluster" | "feed">): string {
  return `${cluster} ${feed}`;
}

function mapped<V>(map: Map<string, V>, key: string, make: () => V): V {
  const value = map.get(key) ?? make();
  map.set(key, value);
  return value;
}
