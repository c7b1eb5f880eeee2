// The placements that are held in one cluster until it shows them. Thousands of them are of few kinds (need, replicas that are not seen
// yet), and a question is answered by the kinds.
//
// (RES-1) Every reservation is counted in its kind, and in nothing else.
// (RES-2) The oldest come first: putting one again makes it the newest.

import { displacementOf, type Need } from "./capacity-need.ts";

export interface Reservation {
  readonly subscription: string;
  readonly feed: string;
  readonly need: Need;
  readonly replicas: number;
  /** Of them, those that the cluster has shown. */
  readonly seen: number;
  readonly atMs: number;
}

export interface Asker {
  readonly subscription: string;
  /** Replicas that it takes for placed: what its status says. */
  previous(feed: string, cluster: string): number;
}

/** Of one cluster; the oldest goes. */
const RESERVATIONS_MAX = 1_000;

export class Reservations {
  readonly #cluster: string;
  readonly #byKey = new Map<string, Reservation>();
  readonly #bySubscription = new Map<string, Set<Reservation>>();
  /** Need -> replicas that are not seen -> how many reservations. */
  readonly #kinds = new Map<Need, Map<number, number>>();

  constructor(cluster: string) {
    this.#cluster = cluster;
  }

  get size(): number {
    return this.#byKey.size;
  }

  get feeds(): readonly string[] {
    return [...new Set([...this.#byKey.values()].map(({ feed }) => feed))];
  }

  get(subscription: string, feed: string): Reservation | undefined {
    return this.#byKey.get(keyOf({ subscription, feed }));
  }

  put(reservation: Reservation): void {
    this.delete(reservation);
    this.#byKey.set(keyOf(reservation), reservation);
    this.#count(reservation, 1);
    const own = this.#bySubscription.get(reservation.subscription) ?? new Set();
    this.#bySubscription.set(reservation.subscription, own.add(reservation));
    const [oldest] = this.#byKey.values();
    if (oldest !== undefined && this.#byKey.size > RESERVATIONS_MAX) this.delete(oldest);
  }

  delete(which: Pick<Reservation, "subscription" | "feed">): void {
    const known = this.#byKey.get(keyOf(which));
    if (known === undefined) return;
    this.#byKey.delete(keyOf(known));
    this.#count(known, -1);
    const own = this.#bySubscription.get(known.subscription);
    own?.delete(known);
    if (own?.size === 0) this.#bySubscription.delete(known.subscription);
  }

  /** The cluster showed so many pods of each feed when it was asked: what was placed before is there as far as that. */
  see(shown: Readonly<Record<string, number>>, askedAtMs: number): void {
    for (const [key, reservation] of this.#byKey) {
      const placed = shown[reservation.feed];
      if (placed === undefined || reservation.atMs > askedAtMs) continue;
      if (placed >= reservation.replicas) this.delete(reservation);
      else this.#replace(key, { ...reservation, seen: placed });
    }
  }

  /** Forgets what was put at that time or before. */
  forgetUntil(atMs: number): void {
    for (const reservation of this.#byKey.values()) {
      if (reservation.atMs > atMs) return;
      this.delete(reservation);
    }
  }

  /** How many replicas of the asked need the room is gone for. */
  displaced(asked: Need, asker: Asker): number {
    const displacedBy = displacementOf(asked);
    let all = 0;
    for (const [need, counts] of this.#kinds) for (const [replicas, count] of counts) all += count * displacedBy(need, replicas);
    // Its last decision may not be written yet, or never: then it decides about these replicas now.
    for (const own of this.#bySubscription.get(asker.subscription) ?? []) {
      const replicas = Math.min(own.replicas, asker.previous(own.feed, this.#cluster));
      all += displacedBy(own.need, Math.max(0, replicas - own.seen)) - displacedBy(own.need, outstandingOf(own));
    }
    return all;
  }

  /** In its place in the order. */
  #replace(key: string, reservation: Reservation): void {
    const known = this.#byKey.get(key);
    if (known === undefined) return;
    this.#byKey.set(key, reservation);
    this.#count(known, -1);
    this.#count(reservation, 1);
    const own = this.#bySubscription.get(known.subscription);
    own?.delete(known);
    own?.add(reservation);
  }

  #count(reservation: Reservation, difference: 1 | -1): void {
    const { need } = reservation;
    const replicas = outstandingOf(reservation);
    const counts = this.#kinds.get(need) ?? new Map<number, number>();
    const count = (counts.get(replicas) ?? 0) + difference;
    if (count > 0) counts.set(replicas, count);
    else counts.delete(replicas);
    if (counts.size > 0) this.#kinds.set(need, counts);
    else this.#kinds.delete(need);
  }
}

/** Replicas that the cluster does not show yet. */
function outstandingOf({ replicas, seen }: Reservation): number {
  return Math.max(0, replicas - seen);
}

function keyOf({ subscription, feed }: Pick<Reservation, "subscription" | "feed">): string {
  return `${subscription} ${feed}`;
}
