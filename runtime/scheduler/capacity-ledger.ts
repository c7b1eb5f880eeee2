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
import type { CapacityAnswer } from "./capacity.ts";
import { displacementOf, NeedReader } from "./capacity-need.ts";
import type { Question } from "./capacity-questions.ts";
import { Reservations, type Asker } from "./capacity-reservations.ts";

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

interface ClusterPage {
  readonly answers: Map<string, Answered>;
  readonly reservations: Reservations;
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
const SHOWN_MAX = 1_000;

export class CapacityLedger {
  readonly #limits: LedgerLimits;
  readonly #pages = new Map<string, ClusterPage>();
  readonly #needs = new NeedReader();

  constructor(limits: LedgerLimits) {
    this.#limits = limits;
  }

  get reservations(): number {
    return [...this.#pages.values()].reduce((sum, { reservations }) => sum + reservations.size, 0);
  }

  /** Whose placements in the cluster are held: its next answer may end that. */
  reservedFeeds(cluster: string): readonly string[] {
    return this.#pages.get(cluster)?.reservations.feeds ?? [];
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
    reservations.see(answered.placed ?? {}, answered.askedAtMs);
  }

  /** Something about the cluster changed: it is asked again. What was placed there stays reserved. */
  forgetAnswers(cluster: string): void {
    this.#pages.get(cluster)?.answers.clear();
  }

  forget(cluster: string): void {
    this.#pages.delete(cluster);
  }

  reserve({ cluster, feed, subscription, request, replicas, previous }: Placement, nowMs: number): void {
    const { reservations, placed } = this.#page(cluster);
    const earlier = reservations.get(subscription, feed);
    if (earlier?.replicas === replicas) return;
    // Our cache of the Subscription may be behind: what the cluster showed already is not held again.
    const seen = earlier?.seen ?? Math.max(previous, placed.get(feed) ?? 0);
    if (replicas <= seen) reservations.delete({ subscription, feed });
    else reservations.put({ subscription, feed, need: this.#needs.of(request), replicas, seen, atMs: nowMs });
  }

  /** An answer without what is reserved now. */
  unreserved({ cluster, request, nowMs, asker, held = [] }: UnreservedOptions, answer: CapacityAnswer): CapacityAnswer {
    if (answer.type !== "fits") return answer;
    const reservations = this.#pages.get(cluster)?.reservations;
    reservations?.forgetUntil(nowMs - this.#limits.reservationMsMax);
    if (held.length === 0 && (reservations === undefined || reservations.size === 0)) return answer;
    const asked = this.#needs.of(request);
    const displacedBy = displacementOf(asked);
    const freed = held.reduce((all, each) => all + displacedBy(this.#needs.of(each.request), Math.max(0, each.replicas)), 0);
    const displaced = freed + (reservations?.displaced(asked, asker) ?? 0);
    return displaced === 0 ? answer : lowered(answer, Math.max(0, answer.replicas - displaced));
  }

  #page(cluster: string): ClusterPage {
    const known = this.#pages.get(cluster);
    if (known !== undefined) return known;
    const made = {
      answers: new Map<string, Answered>(),
      reservations: new Reservations(cluster),
      placed: new Map<string, number>(),
    };
    this.#pages.set(cluster, made);
    return made;
  }
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

function lowered({ byTopology, ...answer }: Extract<CapacityAnswer, { type: "fits" }>, replicas: number): CapacityAnswer {
  if (byTopology === undefined) return { ...answer, replicas };
  // Nobody knows in which place it was taken: none has more than all together.
  const places = Object.entries(byTopology).map(([key, values]) => [
    key,
    Object.fromEntries(Object.entries(values).map(([value, room]) => [value, Math.min(room, replicas)])),
  ]);
  return { ...answer, replicas, byTopology: Object.fromEntries(places) as NonNullable<typeof byTopology> };
}
