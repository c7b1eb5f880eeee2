// What clusters answered a moment ago, minus what was placed there since: answers, and reservations against double booking.
//
//   reserved ──the cluster's answer counts all of it, or it is too old──▶ gone
//
// (LED-1) An answer is never below zero, and never above what the cluster said.
// (LED-2) A reservation is what was placed minus what the cluster showed to have a node, in a question asked after the placement.
// (LED-3) Only resources that both need displace each other; slots for pods only between feeds that ask for nothing.
// (LED-4) Who asks does not stand in its own way: of its own reservation only counts what it takes for placed already.
// (LED-5) Answers and reservations are bounded in number and age.
// (LED-6) Room that is being freed for somebody is held against whoever comes after.

import type { PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";
import { nanoUnits } from "#std/quantity.ts";
import type { CapacityAnswer } from "./capacity.ts";
import type { Question } from "./capacity-questions.ts";

export interface LedgerLimits {
  readonly answerMsMax: number;
  readonly reservationMsMax: number;
}

export interface Answered {
  readonly answer: CapacityAnswer;
  /** When the question was asked: what was placed later is not in the answer. */
  readonly askedAtMs: number;
  /** Feed -> its pods that have a node; absent: the cluster does not say. */
  readonly placed?: Readonly<Record<string, number>>;
}

export interface Placement {
  readonly cluster: string;
  readonly feed: string;
  /** `namespace/name` of the Subscription. */
  readonly subscription: string;
  readonly request: PredictRequest;
  /** Replicas that the cluster has now, and had before. */
  readonly replicas: number;
  readonly previous: number;
}

export interface Asker {
  readonly subscription: string;
  /** Replicas that it takes for placed: what its status says. */
  previous(feed: string, cluster: string): number;
}

interface Reservation {
  readonly subscription: string;
  readonly feed: string;
  readonly request: PredictRequest;
  readonly replicas: number;
  seen: number;
  readonly atMs: number;
}

interface ClusterPage {
  readonly answers: Map<string, Answered>;
  readonly reservations: Map<string, Reservation>;
  /** Feed -> its pods that had a node when the cluster was asked last. */
  readonly placed: Map<string, number>;
}

interface UnreservedOptions {
  readonly cluster: string;
  readonly request: PredictRequest;
  readonly nowMs: number;
  readonly asker: Asker;
  /** Room that is being freed for others, who come before it. */
  readonly held?: readonly Held[];
}

export interface Held {
  readonly request: PredictRequest;
  readonly replicas: number;
}

/** Of one cluster; the oldest goes. */
const ANSWERS_MAX = 256;
const RESERVATIONS_MAX = 1_000;
const SHOWN_MAX = 1_000;

export class CapacityLedger {
  readonly #limits: LedgerLimits;
  readonly #pages = new Map<string, ClusterPage>();

  constructor(limits: LedgerLimits) {
    this.#limits = limits;
  }

  get reservations(): number {
    return [...this.#pages.values()].reduce((sum, { reservations }) => sum + reservations.size, 0);
  }

  /** Whose placements in the cluster are held: its next answer may end that. */
  reservedFeeds(cluster: string): readonly string[] {
    return [
      ...new Set(
        this.#pages
          .get(cluster)
          ?.reservations.values()
          .map(({ feed }) => feed),
      ),
    ];
  }

  /** What the cluster said a moment ago; undefined: it has to be asked. */
  fresh(cluster: string, question: Pick<Question, "key">, nowMs: number): CapacityAnswer | undefined {
    const answered = this.#pages.get(cluster)?.answers.get(question.key);
    return answered !== undefined && nowMs - answered.askedAtMs < this.#limits.answerMsMax ? answered.answer : undefined;
  }

  keep(cluster: string, question: Pick<Question, "key">, answered: Answered): void {
    const { answers, reservations, placed: shown } = this.#page(cluster);
    put(answers, { key: question.key, value: answered, max: ANSWERS_MAX });
    for (const [key, value] of Object.entries(answered.placed ?? {})) put(shown, { key, value, max: SHOWN_MAX });
    for (const [key, reservation] of reservations) {
      const placed = answered.placed?.[reservation.feed];
      if (placed === undefined || reservation.atMs > answered.askedAtMs) continue;
      reservation.seen = placed;
      if (placed >= reservation.replicas) reservations.delete(key);
    }
  }

  /** Something about the cluster changed: it is asked again. What was placed there stays reserved. */
  forgetAnswers(cluster: string): void {
    this.#pages.get(cluster)?.answers.clear();
  }

  forget(cluster: string): void {
    this.#pages.delete(cluster);
  }

  reserve({ cluster, feed, subscription, request, replicas, previous }: Placement, nowMs: number): void {
    const key = `${subscription} ${feed}`;
    const page = this.#page(cluster);
    const earlier = page.reservations.get(key);
    if (earlier?.replicas === replicas) return;
    // Our cache of the Subscription may be behind: what the cluster showed already is not held again.
    const seen = earlier?.seen ?? Math.max(previous, page.placed.get(feed) ?? 0);
    if (replicas <= seen) {
      page.reservations.delete(key);
      return;
    }
    const value = { subscription, feed, request, replicas, seen, atMs: nowMs };
    put(page.reservations, { key, value, max: RESERVATIONS_MAX });
  }

  /** An answer without what is reserved now. */
  unreserved({ cluster, request, nowMs, asker, held = [] }: UnreservedOptions, answer: CapacityAnswer): CapacityAnswer {
    if (answer.type !== "fits") return answer;
    const reservations = this.#pages.get(cluster)?.reservations;
    let { replicas } = answer;
    for (const each of held) replicas -= displaced({ ...each, seen: 0 }, request);
    for (const [key, reservation] of reservations ?? []) {
      if (nowMs - reservation.atMs >= this.#limits.reservationMsMax) reservations?.delete(key);
      else replicas -= displaced(asSeenBy(asker, { cluster, reservation }), request);
    }
    return replicas === answer.replicas ? answer : lowered(answer, Math.max(0, replicas));
  }

  #page(cluster: string): ClusterPage {
    const known = this.#pages.get(cluster);
    if (known !== undefined) return known;
    const made = {
      answers: new Map<string, Answered>(),
      reservations: new Map<string, Reservation>(),
      placed: new Map<string, number>(),
    };
    this.#pages.set(cluster, made);
    return made;
  }
}

/** Its last decision may not be written yet, or never: then it decides about these replicas now. */
function asSeenBy(
  asker: Asker,
  { cluster, reservation }: { readonly cluster: string; readonly reservation: Reservation },
): Reservation {
  if (reservation.subscription !== asker.subscription) return reservation;
  return { ...reservation, replicas: Math.min(reservation.replicas, asker.previous(reservation.feed, cluster)) };
}

function put<T>(
  map: Map<string, T>,
  { key, value, max }: { readonly key: string; readonly value: T; readonly max: number },
): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > max && oldest !== undefined) map.delete(oldest);
}

/** How many replicas of the question the room is gone for. */
function displaced(
  { request, replicas, seen }: Pick<Reservation, "request" | "replicas" | "seen">,
  question: PredictRequest,
): number {
  const outstanding = BigInt(Math.max(0, replicas - seen));
  const [taken, asked] = [needOf(request), needOf(question)];
  if (asked.size === 0) return taken.size === 0 ? Number(outstanding) : 0;
  const shares = [...asked].map(([name, amount]) => ceiling(outstanding * (taken.get(name) ?? 0n), amount));
  return Number(shares.reduce((most, share) => (share > most ? share : most), 0n));
}

/** Resource -> nano-units; what is zero is not needed. */
function needOf({ resources }: PredictRequest): ReadonlyMap<string, bigint> {
  const quantities = { ...resources?.limits, ...resources?.requests };
  const amounts = Object.entries(quantities).map(([name, quantity]) => [name, nanoUnits(String(quantity)) ?? 0n] as const);
  return new Map(amounts.filter(([, amount]) => amount > 0n));
}

function ceiling(amount: bigint, unit: bigint): bigint {
  return (amount + unit - 1n) / unit;
}

function lowered({ byTopology, ...answer }: Extract<CapacityAnswer, { type: "fits" }>, replicas: number): CapacityAnswer {
  if (byTopology === undefined) return { ...answer, replicas };
  // Nobody knows in which place it was taken: none has more than all together.
  const places = Object.entries(byTopology).map(([key, values]) => [
    key,
    Object.fromEntries(Object.entries(values).map(([value, room]) => [value, Math.min(room, replicas)])),
  ]);
  return { ...answer, replicas, byTopology: Object.fromEntries(places) as NonNullable<typeof byTopology> };
}
