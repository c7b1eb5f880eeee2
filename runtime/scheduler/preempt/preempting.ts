// schedule() with preemption, for the one process that leads: tells a decision what others take from it, and asks others for what it lacks.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { keyTextOf } from "#kube/object.ts";
import type { Change } from "#kube/informer.ts";
import { noCapacities } from "#scheduler/capacity.ts";
import type { BoundDecision, Decision } from "#scheduler/decision.ts";
import type { Held } from "#scheduler/capacity-ledger.ts";
import type { GuardedScheduling } from "#scheduler/failover/guarded.ts";
import type { FeedNeed } from "#scheduler/plugin.ts";
import { schedule, type ScheduleInput } from "#scheduler/schedule.ts";
import type { Clock } from "#std/clock.ts";
import type { Metrics } from "#std/metrics.ts";
import { PreemptionBudget } from "./budget.ts";
import { giversBelow } from "./givers.ts";
import { Nominations, SETTLE_MS, type Preemptor } from "./nominations.ts";
import { mayPreempt, missingOf, planPreemption } from "./plan.ts";
import { awaiting, replicasOf } from "./report.ts";
import type { Plan, PreemptionReport } from "./room.ts";
import { lostAfter, preemptorText } from "./taken.ts";

export interface PreemptingDeps {
  readonly scheduling: GuardedScheduling;
  readonly replicasPerMinute: number;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** All that this scheduler decides. */
  readonly subscriptions: () => readonly Subscription[];
  readonly needsOf: (key: string) => readonly FeedNeed[];
  /** It has to give: it is decided again. */
  readonly wake: (key: string) => void;
}

export interface PreemptingScheduling extends GuardedScheduling {
  readonly heldAgainst: (asker: Pick<Preemptor, "key" | "priority">, cluster: string) => readonly Held[];
  readonly onSubscription: (change: Change<Subscription>) => void;
}

export function createPreemptingScheduling(deps: PreemptingDeps): PreemptingScheduling {
  const preempting = new Preempting(deps);
  const { scheduling, clock } = deps;
  return {
    start: (clusters) => {
      scheduling.start(clusters);
      preempting.start();
    },
    observe: (clusters) => scheduling.observe(clusters),
    schedule: (subscription, input) => preempting.schedule(subscription, input),
    carriedOut: (decision) => {
      preempting.carriedOut(decision);
    },
    undo: (decision) => {
      scheduling.undo(decision);
      preempting.undo(decision);
    },
    heldAgainst: (asker, cluster) => preempting.nominations.heldAgainst(asker, cluster, clock.monotonic()),
    onSubscription: (change) => {
      preempting.onSubscription(change);
    },
  };
}

interface Made {
  readonly key: string;
  readonly at: number;
}

class Preempting {
  readonly nominations = new Nominations();
  readonly #deps: PreemptingDeps;
  readonly #budget: PreemptionBudget;
  readonly #measures: ReturnType<typeof measuresOf>;
  /** Until then what the one before us asked for may still be on its way. */
  #settledAt = Number.POSITIVE_INFINITY;
  readonly #made = new WeakMap<Decision, Made>();

  constructor(deps: PreemptingDeps) {
    this.#deps = deps;
    this.#budget = new PreemptionBudget(deps.replicasPerMinute);
    this.#measures = measuresOf(deps.metrics, () => this.nominations.size);
  }

  start(): void {
    this.nominations.clear();
    this.#settledAt = this.#deps.clock.monotonic() + SETTLE_MS;
  }

  schedule(subscription: Subscription, input: ScheduleInput): Decision {
    const { scheduling, clock } = this.#deps;
    const now = clock.monotonic();
    const giver = { key: keyTextOf(subscription), priority: subscription.spec.priority ?? 0 };
    const limits = this.nominations.limitsOf(giver, now);
    const decision = scheduling.schedule(subscription, limits === undefined ? input : { ...input, limits });
    if (decision.type !== "bound") return decision;
    const preemption = this.#reportOf(subscription, decision, input);
    if (preemption === undefined) return decision;
    const { waitsFor } = preemption;
    const shortfall = waitsFor === undefined ? {} : { shortfall: awaiting(decision.shortfall, waitsFor) };
    const reported = { ...decision, ...shortfall, preemption };
    if (preemption.isNew === true) this.#made.set(reported, { key: giver.key, at: now });
    return reported;
  }

  /** Who gives is told so. */
  carriedOut(decision: Decision): void {
    const made = this.#made.get(decision);
    const plan = decision.type === "bound" ? decision.preemption?.waitsFor : undefined;
    if (made === undefined || plan === undefined) return;
    this.nominations.confirm(made.key);
    const victims = new Set(plan.givings.map(({ giver }) => giver.subscription));
    this.#measures.victims.inc({}, victims.size);
    this.#measures.replicas.inc({}, replicasOf(plan));
    for (const victim of victims) this.#deps.wake(victim);
  }

  /** The decision was not carried out: nobody has to give anything for it. */
  undo(decision: Decision | undefined): void {
    const made = decision === undefined ? undefined : this.#made.get(decision);
    if (made === undefined || decision?.type !== "bound" || decision.preemption?.waitsFor === undefined) return;
    this.#budget.refund(replicasOf(decision.preemption.waitsFor), made.at);
    this.nominations.undo(made.key);
  }

  onSubscription(change: Change<Subscription>): void {
    if (change.type === "added") return;
    const { previous } = change;
    const isSame =
      change.type === "updated" &&
      change.object.metadata.generation === previous.metadata.generation &&
      change.object.metadata.uid === previous.metadata.uid;
    if (!isSame) this.nominations.end(keyTextOf(previous), this.#deps.clock.monotonic());
  }

  /** undefined: nobody takes anything from it, or for it. */
  #reportOf(subscription: Subscription, decision: BoundDecision, input: ScheduleInput): PreemptionReport | undefined {
    const lost = lostAfter(subscription, decision.divisions ?? []);
    const waiting = this.#waiting(subscription, decision, input);
    if (waiting === undefined && lost.length === 0 && subscription.status?.preempted === undefined) return undefined;
    return { lost, ...waiting };
  }

  #waiting(
    subscription: Subscription,
    decision: BoundDecision,
    input: ScheduleInput,
  ): Pick<PreemptionReport, "waitsFor" | "isNew"> | undefined {
    const now = this.#deps.clock.monotonic();
    const key = keyTextOf(subscription);
    this.nominations.progress(key, progressOf(decision));
    const open = this.nominations.of(key, now);
    if (open !== undefined && open.preemptor.generation === (subscription.metadata.generation ?? 0))
      return { waitsFor: open.plan };
    if (open !== undefined) this.nominations.end(key, now);
    const plan = this.#planFor(subscription, decision, input);
    if (plan === undefined) return undefined;
    this.#nominate(subscription, plan);
    return { waitsFor: plan, isNew: true };
  }

  #planFor(subscription: Subscription, decision: BoundDecision, input: ScheduleInput): Plan | undefined {
    const { clock, subscriptions, needsOf } = this.#deps;
    const now = clock.monotonic();
    const key = keyTextOf(subscription);
    if (this.#budget.perMinute === 0 || missingOf(decision) === 0 || !mayPreempt(subscription)) return undefined;
    // What moves between clusters needs its own room first.
    const isMoving =
      (decision.failover?.moves ?? []).length > 0 ||
      (decision.rebalance?.stated?.status ?? subscription.status?.rebalance)?.phase === "CarryingOut";
    if (isMoving || now < this.#settledAt || this.nominations.isBarred(key, now) || this.nominations.isFull(now))
      return undefined;
    const planned = planPreemption({
      subscription,
      decision,
      needs: input.needs ?? [],
      capacities: input.capacities ?? noCapacities,
      givers: giversBelow(subscription.spec.priority ?? 0, {
        subscriptions: subscriptions(),
        needsOf,
        limitsOf: (giver) => this.nominations.limitsOf(giver, now, "planned"),
      }),
      replicasMax: this.#budget.free(now),
      avoided: this.nominations.avoidedBy(key, now),
      decide: (standing, capacities) => schedule(standing, { ...input, capacities }),
    });
    this.#measures.attempts.inc({ result: planned.type === "plan" ? "nominated" : planned.reason });
    return planned.type === "plan" ? planned : undefined;
  }

  #nominate(subscription: Subscription, plan: Plan): void {
    const now = this.#deps.clock.monotonic();
    const { metadata, spec } = subscription;
    const preemptor = {
      key: keyTextOf(subscription),
      priority: spec.priority ?? 0,
      text: preemptorText(subscription),
      generation: metadata.generation ?? 0,
    };
    this.nominations.nominate(preemptor, plan, now);
    this.#budget.spend(replicasOf(plan), now);
  }
}

/** What it is decided to have by now, and what it still lacks. */
function progressOf({ divisions = [] }: BoundDecision): Parameters<Nominations["progress"]>[1] {
  return {
    missing: new Map(divisions.map(({ feed, desired, placed }) => [feed, Math.max(0, desired - placed)])),
    shareOf: ({ cluster, feed }) =>
      divisions.find((division) => division.feed === feed)?.shares.find((share) => share.cluster === cluster)?.replicas ?? 0,
  };
}

function measuresOf(metrics: Metrics, nominations: () => number) {
  metrics.gauge({
    name: "clusternet_scheduler_preemption_nominations",
    help: "Subscriptions for which room is being freed",
    collect: nominations,
  });
  return {
    attempts: metrics.counter({
      name: "clusternet_scheduler_preemption_attempts_total",
      help: "Attempts to make room; result: nominated, or why there is no plan",
      labels: ["result"],
    }),
    victims: metrics.counter({
      name: "clusternet_scheduler_preemption_victims_total",
      help: "Subscriptions that had to give room, once for each that it was given to",
      labels: [],
    }),
    replicas: metrics.counter({
      name: "clusternet_scheduler_preemption_replicas_total",
      help: "Replicas that had to go for Subscriptions of higher priority",
      labels: [],
    }),
  };
}
