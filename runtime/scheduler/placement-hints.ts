// "What would change if": small differences of the Subscription or of a cluster, each decided once more, and what would come of it. Pure.
//
// (HINT-1) Nothing is said that was not decided: a difference that changes no binding and no replica is left out.
// (HINT-2) So many differences are tried at most, those first that let the most clusters in.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { Toleration } from "#api/core-types.ts";
import type { LabelSelector } from "#api/meta.ts";
import { taints } from "#api/names.ts";
import { matchesSelector } from "#kube/selector.ts";
import { untolerated } from "#kube/tolerations.ts";
import { shortList } from "#std/short-list.ts";
import { noCapacities, type Capacities } from "./capacity.ts";
import type { Decision } from "./decision.ts";
import type { PlacementHint } from "./explain-placement.ts";
import type { ScheduleInput } from "./schedule.ts";
import type { Cluster, Snapshot } from "./snapshot.ts";

export interface HintsOptions<Input extends ScheduleInput> {
  readonly input: Input;
  readonly decision: Decision;
  /** Only what concerns this cluster; then also what it would need to be selected. */
  readonly cluster?: string;
  /** The decision, with other input. */
  readonly decide: (subscription: Subscription, input: Input) => Decision;
}

const TRIES_MAX = 8;
const CLUSTERS_SHOWN_MAX = 5;

interface Difference<Input> {
  readonly if: string;
  /** How many clusters it is about. */
  readonly weight: number;
  readonly subscription: Subscription;
  readonly input: Input;
}

export function placementHints<Input extends ScheduleInput>(
  subscription: Subscription,
  options: HintsOptions<Input>,
): readonly PlacementHint[] {
  const { decision, decide, cluster } = options;
  const differences = [
    ...withoutGates(subscription, options),
    ...withTolerations(subscription, options),
    ...withReady(subscription, options),
    ...withLabels(subscription, options),
    ...withRoom(subscription, options),
  ];
  return differences
    .toSorted((a, b) => b.weight - a.weight)
    .slice(0, TRIES_MAX)
    .flatMap((difference) => {
      const then = changesBetween(decision, decide(difference.subscription, difference.input), cluster);
      return then.length === 0 ? [] : [{ if: difference.if, then }];
    });
}

/** Clusters that are not bound although the Subscription selects them, or that get nothing new. */
function keptOut({
  decision,
  input,
  cluster,
}: Pick<HintsOptions<ScheduleInput>, "decision" | "input" | "cluster">): readonly Cluster[] {
  if (decision.type !== "bound") return [];
  return decision.verdicts.flatMap(({ cluster: key, verdict }) => {
    const isOut = verdict.type === "reject" || (verdict.type === "keep" && verdict.despite !== undefined);
    const found = isOut && (cluster === undefined || cluster === key) ? input.snapshot.get(key) : undefined;
    return found === undefined ? [] : [found];
  });
}

function withoutGates<Input extends ScheduleInput>(
  subscription: Subscription,
  { input }: HintsOptions<Input>,
): readonly Difference<Input>[] {
  const { schedulingGates = [], ...spec } = subscription.spec;
  if (schedulingGates.length === 0) return [];
  return [{ if: "its gates were open", weight: Infinity, subscription: { ...subscription, spec }, input }];
}

function withTolerations<Input extends ScheduleInput>(
  subscription: Subscription,
  options: HintsOptions<Input>,
): readonly Difference<Input>[] {
  const own = subscription.spec.clusterTolerations ?? [];
  const groups = Map.groupBy(keptOut(options), ({ taints: theirs }) =>
    theirs
      .filter((taint) => untolerated([taint], own) !== undefined && !isOurs(taint.key))
      .map(({ key, value = "", effect }) => `${key}${value === "" ? "" : `=${value}`}:${effect}`)
      .join(" and "),
  );
  return [...groups].flatMap(([text, clusters]): readonly Difference<Input>[] => {
    const [first] = clusters;
    if (text === "" || first === undefined) return [];
    const tolerations = first.taints.map(({ key, value, effect }): Toleration => {
      return { key, operator: "Equal", effect, ...(value === undefined ? {} : { value }) };
    });
    const spec = { ...subscription.spec, clusterTolerations: [...own, ...tolerations] };
    const tolerant = { ...subscription, spec };
    return [{ if: `it tolerated ${text}`, weight: clusters.length, subscription: tolerant, input: options.input }];
  });
}

/** A cluster that does not work, on the day when it works again: without the taints that say that it does not. */
function withReady<Input extends ScheduleInput>(
  subscription: Subscription,
  options: HintsOptions<Input>,
): readonly Difference<Input>[] {
  return keptOut(options)
    .filter(({ ready }) => ready !== "True")
    .map((cluster) => ({
      if: `${cluster.key} were Ready`,
      weight: 1,
      subscription,
      input: withCluster(options.input, { ...cluster, ready: "True", taints: cluster.taints.filter(({ key }) => !isOurs(key)) }),
    }));
}

function isOurs(key: string): boolean {
  return key === taints.unschedulable;
}

/** Of the one cluster that was asked about, the fewest labels that a subscriber misses. */
function withLabels<Input extends ScheduleInput>(
  subscription: Subscription,
  { input, cluster: key }: HintsOptions<Input>,
): readonly Difference<Input>[] {
  const cluster = key === undefined ? undefined : input.snapshot.get(key);
  if (cluster === undefined) return [];
  const { subscribers } = subscription.spec;
  if (subscribers.some(({ clusterAffinity }) => matchesSelector(clusterAffinity, cluster.labels))) return [];
  const [fewest] = subscribers
    .map(({ clusterAffinity }) => missing(clusterAffinity, cluster.labels))
    .filter((changes) => changes !== undefined)
    .toSorted((a, b) => a.length - b.length);
  if (fewest === undefined || fewest.length === 0) return [];
  const labels = new Map(Object.entries(cluster.labels));
  for (const [name, value] of fewest)
    if (value === undefined) labels.delete(name);
    else labels.set(name, value);
  const texts = fewest.map(([name, value]) => (value === undefined ? `no label ${name}` : `label ${name}=${value}`));
  const changed = { ...cluster, labels: Object.fromEntries(labels) };
  return [{ if: `${cluster.key} had ${texts.join(" and ")}`, weight: 1, subscription, input: withCluster(input, changed) }];
}

type LabelChange = readonly [name: string, value: string | undefined];

/** undefined: nobody can say which value would do. */
function missing(
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
  labels: Readonly<Record<string, string>>,
): readonly LabelChange[] | undefined {
  const changes: LabelChange[] = Object.entries(matchLabels).filter(([name, value]) => labels[name] !== value);
  for (const requirement of matchExpressions) {
    if (matchesSelector({ matchExpressions: [requirement] }, labels)) continue;
    const { key, operator, values = [] } = requirement;
    const [value] = values;
    if (operator === "In" && value !== undefined) changes.push([key, value]);
    else if (operator === "DoesNotExist" || operator === "NotIn") changes.push([key, undefined]);
    else if (operator === "Exists") changes.push([key, ""]);
    else return undefined;
  }
  return changes;
}

/** Of a Dynamic dividing that places too little: room for the rest in one cluster, rather one that has said what it could take. */
function withRoom<Input extends ScheduleInput>(
  subscription: Subscription,
  { input, decision, cluster: about }: HintsOptions<Input>,
): readonly Difference<Input>[] {
  const { snapshot, capacities = noCapacities } = input;
  const divisions = decision.type === "bound" ? (decision.divisions ?? []) : [];
  return divisions.flatMap(({ feed, desired, placed }): readonly Difference<Input>[] => {
    const asked = snapshot.clusters.flatMap(({ key }) => {
      const answer = about === undefined || about === key ? capacities.of(key, feed) : undefined;
      return answer === undefined ? [] : [{ key, room: answer.type === "fits" ? answer.replicas : -1 }];
    });
    const [most] = asked.toSorted((a, b) => b.room - a.room);
    const lacking = desired - placed;
    if (lacking <= 0 || most === undefined) return [];
    const more = { type: "fits", replicas: Math.max(0, most.room) + lacking } as const;
    const roomy: Capacities = {
      of: (cluster, which) => (cluster === most.key && which === feed ? more : capacities.of(cluster, which)),
    };
    const text = `${most.key} had room for ${String(lacking)} more of ${feed}`;
    return [{ if: text, weight: 0, subscription, input: { ...input, capacities: roomy } }];
  });
}

function withCluster<Input extends ScheduleInput>(input: Input, changed: Cluster): Input {
  const { snapshot } = input;
  const clusters = snapshot.clusters.map((each) => (each.key === changed.key ? changed : each));
  const other: Snapshot = { clusters, get: (key) => (key === changed.key ? changed : snapshot.get(key)) };
  return { ...input, snapshot: other };
}

/** What the other decision has that this one has not, and the other way round. */
function changesBetween(now: Decision, then: Decision, about: string | undefined): readonly string[] {
  if (then.type !== "bound") return [];
  const before = now.type === "bound" ? now.clusters : [];
  const concerns = (key: string): boolean => about === undefined || about === key;
  const [had, has] = [new Set(before), new Set(then.clusters)];
  const bound = then.clusters.filter((key) => concerns(key) && !had.has(key));
  const left = before.filter((key) => concerns(key) && !has.has(key));
  const replicas = (then.divisions ?? []).flatMap(({ feed, placed, desired }) => {
    const earlier = now.type === "bound" ? now.divisions?.find((each) => each.feed === feed)?.placed : 0;
    return placed === earlier ? [] : [`${String(placed)} of ${String(desired)} replicas of ${feed} would be placed`];
  });
  return [
    ...(bound.length === 0 ? [] : [`${shortList(bound, CLUSTERS_SHOWN_MAX).join(", ")} would be bound`]),
    ...(left.length === 0 ? [] : [`${shortList(left, CLUSTERS_SHOWN_MAX).join(", ")} would not be bound`]),
    ...replicas,
  ];
}
