// One round of questions before a decision: every candidate in parallel, within one time limit; who does not answer is silent.
//
// (CAQ-1) A round ends by its time limit, whatever clusters do; what is not answered by then is silent, with a reason, never zero.
// (CAQ-2) Only clusters that the Subscription selects are asked, and only when it is divided by capacity.
// (CAQ-3) The same question to the same cluster is on its way once.
// (CAQ-4) Who lets questions time out delays itself: it is not asked anything else for a while, and then in a turn of its own.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { QUESTION_FEEDS_MAX, type PredictAnswer, type PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";
import type { Change } from "#kube/informer.ts";
import { keyTextOf } from "#kube/object.ts";
import { matcherOf } from "#kube/selector.ts";
import { createSlots } from "#kube/slots.ts";
import { abortable, childController } from "#std/abort.ts";
import type { Clock } from "#std/clock.ts";
import { errorChain } from "#std/errors.ts";
import type { Logger } from "#std/log.ts";
import type { Counter, Histogram, Metrics } from "#std/metrics.ts";
import { noCapacities, type Capacities, type CapacityAnswer } from "./capacity.ts";
import { CapacityLedger, type Answered, type Held } from "./capacity-ledger.ts";
import { capacityOf, isDividedByCapacity, questionsOf, type Question } from "./capacity-questions.ts";
import type { Decision } from "./decision.ts";
import { previousOf } from "./divide/divided.ts";
import type { FeedNeed } from "./plugin.ts";

export type AskCluster = (cluster: ManagedCluster, request: PredictRequest, signal: AbortSignal) => Promise<PredictAnswer>;

/** Of `--capacity-timeout`, for the scheduler and for people alike. */
export const CAPACITY_TIMEOUT_DEFAULT = "5s";
/** Of `--capacity-parallel`. */
export const CAPACITY_PARALLEL_DEFAULT = 32;

export interface CapacityLimits {
  /** Of a whole round. */
  readonly timeoutMs: number;
  /** How long an answer is good for. */
  readonly cacheMs: number;
  /** How long a placement is held when the cluster does not show it. */
  readonly reservationMs: number;
  /** Questions on their way at the same time. */
  readonly atATimeMax: number;
}

interface CapacityClientOptions extends CapacityLimits {
  readonly ask: AskCluster;
  /** Room in the cluster that is being freed for others, who come before who asks. */
  readonly heldAgainst?: (asker: { readonly key: string; readonly priority: number }, cluster: string) => readonly Held[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

interface Asked {
  readonly cluster: ManagedCluster;
  /** Of the cluster. */
  readonly key: string;
  readonly question: Question;
}

/** By question, then by cluster. */
type Answers = ReadonlyMap<Question, ReadonlyMap<string, CapacityAnswer>>;

interface Silence {
  readonly askedAtMs: number;
  /** It let the question time out: another one would do no better. undefined: it may be asked. */
  readonly late?: CapacityAnswer;
}

/** Part of the questions on their way that may be to clusters that were silent last time. */
const SILENT_SHARE = 0.25;

/** More wait for nothing: the time limit would end them. */
const WAITING_MAX = 100_000;
const REASON_LENGTH_MAX = 200;

export class CapacityClient {
  readonly #options: CapacityClientOptions;
  readonly #ledger: CapacityLedger;
  readonly #slots: ReturnType<typeof createSlots>;
  readonly #onTheirWay = new Map<string, Promise<CapacityAnswer>>();
  /** For clusters that were silent when they were asked last: they cannot take the turns of the others. */
  readonly #slotsOfSilent: ReturnType<typeof createSlots>;
  /** Clusters whose silence was logged. */
  readonly #silent = new Map<string, Silence>();
  readonly #seconds: Histogram;
  readonly #questions: Counter<"result">;

  constructor(options: CapacityClientOptions) {
    const { metrics, cacheMs, reservationMs, atATimeMax } = options;
    this.#options = options;
    this.#ledger = new CapacityLedger({ answerMsMax: cacheMs, reservationMsMax: reservationMs });
    const silentAtATimeMax = Math.max(1, Math.floor(atATimeMax * SILENT_SHARE));
    this.#slotsOfSilent = createSlots({ inUseMax: silentAtATimeMax, waitingMax: WAITING_MAX });
    this.#slots = createSlots({ inUseMax: Math.max(1, atATimeMax - silentAtATimeMax), waitingMax: WAITING_MAX });
    this.#seconds = metrics.histogram({
      name: "clusternet_scheduler_capacity_round_seconds",
      help: "Time that a decision waited for clusters to tell their capacity",
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10],
    });
    this.#questions = metrics.counter({
      name: "clusternet_scheduler_capacity_questions_total",
      help: "Questions for a cluster's capacity by what came of them",
      labels: ["result"],
    });
    metrics.gauge({
      name: "clusternet_scheduler_capacity_reservations",
      help: "Placements that are held against double booking until their cluster shows them",
      collect: () => this.#ledger.reservations,
    });
  }

  /** What a decision may read; it is right for this moment and knows of every placement until it is read. */
  async ask(
    subscription: Subscription,
    { clusters, needs }: { readonly clusters: readonly ManagedCluster[]; readonly needs: readonly FeedNeed[] },
    signal: AbortSignal,
  ): Promise<Capacities> {
    if (!isDividedByCapacity(subscription)) return noCapacities;
    const questions = questionsOf(subscription, needs);
    if (questions.length === 0) return noCapacities;
    const asked = clusters.filter(isSelectedBy(subscription));
    const { clock } = this.#options;
    const startedAt = clock.monotonic();
    const answers = await this.#round(
      asked.flatMap((cluster) => {
        const key = keyTextOf(cluster);
        return questions.map((question) => ({ cluster, key, question }));
      }),
      signal,
    );
    this.#seconds.observe((clock.monotonic() - startedAt) / 1_000);
    const key = keyTextOf(subscription);
    const { priority = 0 } = subscription.spec;
    const asker = { subscription: key, previous: previousOf(subscription) };
    const byFeed = new Map(questions.flatMap((question) => question.feeds.map((feed) => [feed, question] as const)));
    return {
      of: (cluster, feed) => {
        const question = byFeed.get(feed);
        const answer = question === undefined ? undefined : answers.get(question)?.get(cluster);
        if (question === undefined || answer === undefined) return undefined;
        const held = this.#options.heldAgainst?.({ key, priority }, cluster) ?? [];
        return this.#ledger.unreserved({ cluster, request: question.request, nowMs: clock.monotonic(), asker, held }, answer);
      },
    };
  }

  /** The decision will be written: until its clusters show it, others do not get this room. Before anything else is awaited. */
  reserve(
    subscription: Subscription,
    { decision, needs }: { readonly decision: Decision; readonly needs: readonly FeedNeed[] },
  ): void {
    if (decision.type !== "bound" || decision.replicas === undefined) return;
    const previous = previousOf(subscription);
    for (const { feeds, request } of questionsOf(subscription, needs)) {
      for (const feed of feeds) {
        for (const [index, replicas] of (decision.replicas[feed] ?? []).entries()) {
          const cluster = decision.clusters[index] ?? "";
          const placement = { cluster, feed, request, replicas, previous: previous(feed, cluster) };
          this.#ledger.reserve({ ...placement, subscription: keyTextOf(subscription) }, this.#options.clock.monotonic());
        }
      }
    }
  }

  readonly onCluster = (change: Change<ManagedCluster>): void => {
    if (change.type === "updated") {
      const key = keyTextOf(change.object);
      this.#ledger.forgetAnswers(key);
      const silence = this.#silent.get(key);
      if (silence !== undefined) this.#silent.set(key, { askedAtMs: silence.askedAtMs });
    }
    if (change.type === "deleted") {
      const key = keyTextOf(change.previous);
      this.#ledger.forget(key);
      this.#silent.delete(key);
    }
  };

  async #round(asked: readonly Asked[], signal: AbortSignal): Promise<Answers> {
    const { clock, timeoutMs } = this.#options;
    const answers = new Map(asked.map(({ question }) => [question, new Map<string, CapacityAnswer>()]));
    const due = asked.filter(({ key, question }) => {
      const answer = this.#ledger.fresh(key, question, clock.monotonic()) ?? this.#lateness(key);
      if (answer !== undefined) answers.get(question)?.set(key, answer);
      return answer === undefined;
    });
    if (due.length === 0) return answers;
    using round = childController(signal);
    const timeUp = clock.sleep(timeoutMs, round.signal).then(() => {
      round.abort(new Error(`it did not answer within ${String(timeoutMs)} ms`));
    });
    const ask = async (one: Asked): Promise<void> => {
      const answer = await this.#once(one, round.signal);
      answers.get(one.question)?.set(one.key, answer);
    };
    // Of the silent, who was asked longest ago first: each has its turn.
    const since = ({ key }: Asked): number => this.#silent.get(key)?.askedAtMs ?? 0;
    await Promise.all(due.toSorted((a, b) => since(a) - since(b)).map(ask));
    round.abort();
    await timeUp;
    signal.throwIfAborted();
    return answers;
  }

  async #once(asked: Asked, signal: AbortSignal): Promise<CapacityAnswer> {
    const way = `${asked.key} ${asked.question.key}`;
    const joined = this.#onTheirWay.get(way);
    if (joined !== undefined) return await joined;
    const asking = this.#askOne(asked, signal).finally(() => this.#onTheirWay.delete(way));
    this.#onTheirWay.set(way, asking);
    return await asking;
  }

  /** What is said of a cluster that let another question time out a moment ago. */
  #lateness(cluster: string): CapacityAnswer | undefined {
    const { clock, cacheMs } = this.#options;
    const silence = this.#silent.get(cluster);
    return silence !== undefined && clock.monotonic() - silence.askedAtMs < cacheMs ? silence.late : undefined;
  }

  async #askOne({ cluster, key, question }: Asked, signal: AbortSignal): Promise<CapacityAnswer> {
    const { ask, clock, timeoutMs } = this.#options;
    const slots = this.#silent.has(key) ? this.#slotsOfSilent : this.#slots;
    let askedAtMs: number | undefined;
    let answered: Answered;
    try {
      // Its own feeds, and those of others whose placements it may show by now.
      const feeds = [...new Set([...question.feeds, ...this.#ledger.reservedFeeds(key)])];
      const request = { ...question.request, feeds: feeds.slice(0, QUESTION_FEEDS_MAX) };
      const work = (): Promise<PredictAnswer> => {
        askedAtMs = clock.monotonic();
        return abortable(ask(cluster, request, signal), signal);
      };
      const answer = await slots.use(work, signal);
      const placed = answer.placed === undefined ? {} : { placed: answer.placed };
      answered = { answer: capacityOf(answer), askedAtMs: askedAtMs ?? clock.monotonic(), ...placed };
    } catch (error) {
      const reason = errorChain(signal.aborted ? signal.reason : error).slice(0, REASON_LENGTH_MAX);
      answered = { answer: { type: "silent", reason }, askedAtMs: askedAtMs ?? clock.monotonic() };
    }
    this.#questions.inc({ result: answered.answer.type });
    if (askedAtMs === undefined) {
      // Nothing is known of this cluster: the next round asks it.
      return { type: "silent", reason: `it was not its turn within ${String(timeoutMs)} ms: too many others do not answer` };
    }
    this.#tell(key, answered, signal.aborted);
    this.#ledger.keep(key, question, answered);
    return answered.answer;
  }

  /** Once when a cluster falls silent, once when it speaks again. */
  #tell(cluster: string, { answer, askedAtMs }: Answered, isLate: boolean): void {
    const { log } = this.#options;
    if (answer.type === "silent") {
      if (!this.#silent.has(cluster)) log.warn("capacity.silent", { cluster, reason: answer.reason });
      this.#silent.set(cluster, { askedAtMs, ...(isLate ? { late: answer } : {}) });
    } else if (this.#silent.delete(cluster)) log.info("capacity.answers-again", { cluster });
  }
}

function isSelectedBy({ spec }: Subscription): (cluster: ManagedCluster) => boolean {
  const affinities = spec.subscribers.map(({ clusterAffinity }) => matcherOf(clusterAffinity));
  return ({ metadata: { deletionTimestamp, labels } }) =>
    deletionTimestamp === undefined && affinities.some((matches) => matches(labels));
}
