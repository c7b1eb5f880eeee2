// Where a Subscription's replicas would be if they were divided by capacity from nothing, feed by feed, and what of that is worth moving. Pure.
//
// Of each feed alone the room is what its clusters have and what it runs there; what feeds before it move somewhere is taken from that.

import type { RebalanceMove, Replacement } from "#api/apps/v1alpha1/rebalance.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { noCapacities, type Capacities } from "#scheduler/capacity.ts";
import type { BoundDecision } from "#scheduler/decision.ts";
import { sum } from "#scheduler/divide/apportion.ts";
import { divisibleOf, previousOf, type Divisible, type Previous } from "#scheduler/divide/divided.ts";
import { SharedRoom } from "#scheduler/divide/shared-room.ts";
import { isAvailableIn } from "#scheduler/failover/available.ts";
import { snapshotWithout } from "#scheduler/failover/without.ts";
import { schedule, type ScheduleInput } from "#scheduler/schedule.ts";
import type { FeedNeed } from "#scheduler/plugin.ts";
import { compareText } from "#std/compare-text.ts";
import { whyBetter, type Seat } from "./quality.ts";
import type { RebalanceSettings } from "./settings.ts";
import { isFit } from "./standing.ts";

export interface PlanInput extends ScheduleInput {
  readonly settings: RebalanceSettings;
  /** What is decided without moving anything. */
  readonly base: BoundDecision;
  /** Clusters that a plan before began to leave and has not left: this one goes on with that. */
  readonly begun?: readonly Replacement[];
}

interface DivisionInput extends PlanInput {
  readonly replacements: readonly Replacement[];
}

interface Division {
  readonly moves: readonly RebalanceMove[];
  readonly reasons: readonly string[];
}

/** undefined: with these replacements not everything would be placed. */
export function betterDivision(subscription: Subscription, input: DivisionInput): Division | undefined {
  const { replacements, needs = [], capacities = noCapacities } = input;
  const away = new Set(replacements.map(({ from }) => from));
  const comes = replacements.map(({ to }) => to);
  let clusters = ascending([...(subscription.status?.bindingClusters ?? []), ...comes].filter((key) => !away.has(key)));
  const room = new SharedRoom();
  const moves: RebalanceMove[] = [];
  const reasons: string[] = [];
  for (const need of divisibleOf(needs)) {
    const left: Capacities = { of: (key, feed) => room.of(key, capacities.of(key, feed)) };
    const target = divideAnew(subscription, need, { ...input, capacities: left, clusters, away });
    const judged = typeof target === "string" ? undefined : judge(subscription, need, { ...input, capacities: left, target });
    if (judged === undefined && replacements.length > 0) return undefined;
    if (typeof target === "string") reasons.push(`${need.feed} cannot be divided anew: ${target}`);
    if (judged === undefined || typeof target === "string") continue;
    reasons.push(...judged.reasons);
    if (judged.moves.length === 0) continue;
    moves.push(...judged.moves);
    clusters = ascending([...clusters, ...judged.moves.map(({ to }) => to)]);
    const previous = previousOf(subscription);
    const shares = [...target].map(([cluster, replicas]) => ({
      cluster,
      replicas,
      previous: previous(need.feed, cluster),
      reason: "",
    }));
    room.take({ feed: need.feed, desired: 0, placed: 0, shares }, (key) => capacities.of(key, need.feed));
  }
  return { moves, reasons };
}

function ascending(keys: readonly string[]): readonly string[] {
  return [...new Set(keys)].toSorted();
}

type Target = ReadonlyMap<string, number>;

interface AnewInput extends DivisionInput {
  readonly capacities: Capacities;
  readonly clusters: readonly string[];
  readonly away: ReadonlySet<string>;
}

/** Or why it would not all be placed. */
function divideAnew(subscription: Subscription, { feed }: Divisible, input: AnewInput): Target | string {
  const { capacities, clusters, away, snapshot } = input;
  const previous = previousOf(subscription);
  const all = subscription.status?.replicas?.[feed] ?? [];
  const giving = new Set(clusters.filter((key) => takesPart(subscription, feed, { ...input, key })));
  const emptied = clusters.map((key) => (giving.has(key) ? 0 : previous(feed, key)));
  const decision = schedule(
    { ...subscription, status: { ...subscription.status, bindingClusters: clusters, replicas: { [feed]: emptied } } },
    {
      ...input,
      snapshot: snapshotWithout(snapshot, away),
      existing: [],
      needs: (input.needs ?? []).map((need) => onlyOf(need, { feed, desiredReplicas: sum(all) })),
      capacities: { of: (key, of) => whole(capacities, { key, feed: of, previous, isEmptied: giving.has(key) }) },
    },
  );
  if (decision.type !== "bound") return decision.message;
  const shares = decision.replicas?.[feed] ?? [];
  const target = new Map(decision.clusters.map((key, index) => [key, shares[index] ?? 0]));
  for (const key of subscription.status?.bindingClusters ?? []) if (!target.has(key)) target.set(key, 0);
  return sum([...target.values()]) === sum(all) ? target : (decision.shortfall?.message ?? "not every replica would be placed");
}

/** The others are not divided: they stay what they are. */
function onlyOf(need: FeedNeed, { feed, desiredReplicas }: Pick<Divisible, "feed" | "desiredReplicas">): FeedNeed {
  if (need.feed === feed) return { ...need, desiredReplicas };
  const { desiredReplicas: _desiredReplicas, ...rest } = need;
  return rest;
}

interface Whole {
  readonly key: string;
  readonly feed: string;
  readonly previous: Previous;
  readonly isEmptied: boolean;
}

function whole(capacities: Capacities, { key, feed, previous, isEmptied }: Whole): ReturnType<Capacities["of"]> {
  const answer = capacities.of(key, feed);
  if (answer?.type !== "fits" || !isEmptied) return answer;
  return { ...answer, replicas: Math.max(0, answer.replicas) + previous(feed, key) };
}

interface PartInput extends PlanInput {
  readonly key: string;
}

/** It works, says what fits, and is not being emptied for somebody of higher priority. */
function takesPart(subscription: Subscription, feed: string, { key, capacities = noCapacities, ...input }: PartInput): boolean {
  if (input.limits?.of(key, feed) !== undefined) return false;
  return capacities.of(key, feed)?.type === "fits" && isFit(subscription, { key, ...input });
}

interface JudgeInput extends DivisionInput {
  readonly capacities: Capacities;
  readonly target: Target;
}

/** undefined: it must not be done so. */
function judge(subscription: Subscription, { feed }: Divisible, input: JudgeInput): Division | undefined {
  const { target, replacements, settings } = input;
  const previous = previousOf(subscription);
  const moves = movesBetween(feed, target, previous);
  if (moves.length === 0) return { moves, reasons: [] };
  const isAllowed = moves.every(
    ({ from, to }) =>
      takesPart(subscription, feed, { ...input, key: from }) && isReceiver(subscription, feed, { ...input, key: to, previous }),
  );
  if (!isAllowed) return undefined;
  const moved = sum(moves.map(({ replicas }) => replicas));
  const all = sum([...target.values()]);
  const what = `${feed}: ${String(moved)} of ${String(all)} replicas would move`;
  if (replacements.some(({ from }) => previous(feed, from) > 0)) return { moves, reasons: [what] };
  const better = betterBy(subscription, feed, input);
  if (better === undefined) return { moves: [], reasons: [] };
  if (moved * 100 < settings.minMovePercent * all)
    return { moves: [], reasons: [`${what}, fewer than minMovePercent ${String(settings.minMovePercent)}: ${better}`] };
  return { moves, reasons: [`${what}: ${better}`] };
}

/** What it has already works there. */
function isReceiver(subscription: Subscription, feed: string, input: PartInput & { readonly previous: Previous }): boolean {
  if (!takesPart(subscription, feed, input)) return false;
  const cluster = input.snapshot.get(input.key);
  return input.previous(feed, input.key) === 0 || (cluster !== undefined && isAvailableIn(subscription, cluster));
}

function betterBy(subscription: Subscription, feed: string, input: JudgeInput): string | undefined {
  const { target, snapshot, capacities, base } = input;
  const previous = previousOf(subscription);
  const scores = new Map(base.scores?.map(({ cluster, total }) => [cluster, total]));
  const keys = [...target.keys()].filter((key) => takesPart(subscription, feed, { ...input, key }));
  const seat = (key: string, replicas: number): Seat => {
    const answer = capacities.of(key, feed);
    const free = answer?.type === "fits" ? Math.max(0, answer.replicas) : 0;
    const labels = snapshot.get(key)?.labels ?? {};
    return { labels, score: scores.get(key) ?? 0, replicas, room: free + previous(feed, key) };
  };
  const dividing = subscription.spec.dividingScheduling?.dynamicDividing;
  if (dividing === undefined) return undefined;
  return whyBetter(
    keys.map((key) => seat(key, previous(feed, key))),
    keys.map((key) => seat(key, target.get(key) ?? 0)),
    dividing,
  );
}

/** Who has too many gives to who has too few, both ascending by key. */
function movesBetween(feed: string, target: Target, previous: Previous): readonly RebalanceMove[] {
  const changes = [...target].map(([key, replicas]) => ({ key, change: replicas - previous(feed, key) }));
  const ordered = changes.toSorted((a, b) => compareText(a.key, b.key));
  const takers = ordered.filter(({ change }) => change > 0).map(({ key, change }) => ({ key, left: change }));
  return ordered
    .filter(({ change }) => change < 0)
    .flatMap(({ key, change }) => {
      let left = -change;
      return takers.flatMap((taker): readonly RebalanceMove[] => {
        const replicas = Math.min(left, taker.left);
        left -= replicas;
        taker.left -= replicas;
        return replicas === 0 ? [] : [{ feed, from: key, to: taker.key, replicas }];
      });
    });
}
