// (Subscription, snapshot, profile) -> Decision. Pure: the same input always gives the same decision.
//
// (SCH-1) Silence never unbinds: a bound cluster stays while the Subscription still selects it and its ManagedCluster is there,
//         whatever its taints, its readiness, or the number of clusters that fit. Only an assign plugin that gives a reason lets go.
//         A Subscription that does not know its bindings starts from the clusters that have a Base of it.
// (SCH-2) What this scheduler does not do is refused as a whole; bindings that exist stay.
// (SCH-3) Clusters are looked at ascending by key, and every tie is broken by key.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { matchesSelector } from "#kube/selector.ts";
import { noCapacities, type Capacities } from "./capacity.ts";
import { refused, type BoundDecision, type ClusterVerdict, type Decision, type Verdict } from "./decision.ts";
import type { Assignment, Bindings, Candidate, ClusterInput, FeedNeed, PreFilterResult, SubscriptionInput } from "./plugin.ts";
import type { Profile } from "./profile.ts";
import { PluginError } from "./plugin-error.ts";
import { scoreCandidates } from "./score.ts";
import type { Cluster, Snapshot } from "./snapshot.ts";
import { chooseBySubGroup, type SubGroups } from "./subgroups.ts";

export interface ScheduleInput {
  readonly snapshot: Snapshot;
  readonly profile: Profile;
  /** `namespace/name` of clusters that have a Base of it: its bindings, when its status says none. */
  readonly existing?: readonly string[];
  readonly needs?: readonly FeedNeed[];
  readonly capacities?: Capacities;
  readonly bindings?: Bindings;
}

const noBindings: Bindings = { of: () => 0 };

export function schedule(subscription: Subscription, scheduleInput: ScheduleInput): Decision {
  const { snapshot, profile, existing = [] } = scheduleInput;
  const input = subscriptionInput(subscription, scheduleInput);
  const stop = firstStop(profile.plugins.preFilter, (plugin) => plugin.preFilter(input));
  if (stop !== undefined) return stop;
  const bound = new Set(subscription.status?.bindingClusters ?? existing);
  const judged = snapshot.clusters.map((cluster) => judge(cluster, { input, profile, wasBound: bound.has(cluster.key) }));
  const gone = [...bound].filter((key) => snapshot.get(key) === undefined).map(goneVerdict);
  const verdicts = [...judged.flatMap(({ verdict }) => verdict ?? []), ...gone].toSorted(byCluster);
  const unscored = judged.flatMap(({ candidate }) => candidate ?? []);
  const { candidates, scores } = scoreCandidates(profile, { ...input, candidates: unscored });
  const groups = subscription.spec.schedulingBySubGroup === true ? chooseBySubGroup(subscription, candidates) : undefined;
  if (groups?.type === "refused") return groups;
  const assignInput = { ...input, candidates: groups?.candidates ?? candidates };
  const stopped = firstStop(profile.plugins.preAssign, (plugin) => plugin.preAssign(assignInput));
  if (stopped !== undefined) return stopped;
  for (const plugin of profile.plugins.assign) {
    const assignment = plugin.assign(assignInput);
    if (assignment.type === "skip") continue;
    if (assignment.type !== "assigned") return stoppedBy(assignment);
    const decision = decided(assignment, { plugin: plugin.name, verdicts, candidates, groups });
    return { ...decision, ...(scores === undefined ? {} : { scores }), ...adviceFor(decision, { input, profile }) };
  }
  return unsupportedStrategy(subscription);
}

/** What every plugin is given. */
export function subscriptionInput(subscription: Subscription, scheduleInput: ScheduleInput): SubscriptionInput {
  const { snapshot, profile, needs = [], capacities = noCapacities, bindings = noBindings } = scheduleInput;
  return { subscription, snapshot, needs, capacities, bindings, options: profile.options };
}

/** Who says that the Subscription does not ask for this cluster; undefined: it does. */
export function whyNotSelected(
  subscription: Subscription,
  cluster: Cluster,
  scheduleInput: ScheduleInput,
): { readonly plugin: string; readonly reason: string } | undefined {
  const subscribers = subscribersOf(subscription, cluster);
  return firstNo(scheduleInput.profile, { ...subscriptionInput(subscription, scheduleInput), cluster, subscribers });
}

function firstNo({ plugins }: Profile, input: ClusterInput): { readonly plugin: string; readonly reason: string } | undefined {
  for (const plugin of plugins.select) {
    const fit = plugin.select(input);
    if (!fit.fits) return { plugin: plugin.name, reason: fit.reason };
  }
  return undefined;
}

function unsupportedStrategy({ spec: { schedulingStrategy } }: Subscription): Decision {
  return refused("UnsupportedStrategy", `No plugin of this scheduler assigns for schedulingStrategy ${schedulingStrategy}`);
}

function firstStop<T>(plugins: readonly T[], ask: (plugin: T) => PreFilterResult): Decision | undefined {
  for (const plugin of plugins) {
    const result = ask(plugin);
    if (result.type !== "ok") return stoppedBy(result);
  }
  return undefined;
}

function stoppedBy({ type, reason, message }: Exclude<PreFilterResult, { type: "ok" }>): Decision {
  return { type: type === "refuse" ? "refused" : "waiting", reason, message };
}

interface Judged {
  /** undefined: the Subscription never asked for this cluster. */
  readonly verdict?: ClusterVerdict;
  readonly candidate?: Candidate;
}

interface JudgeOptions {
  readonly input: SubscriptionInput;
  readonly profile: Profile;
  readonly wasBound: boolean;
}

function judge(cluster: Cluster, { input, profile, wasBound }: JudgeOptions): Judged {
  const ended = (reason: string): Judged => (wasBound ? { verdict: verdictOf(cluster, { type: "unbind", reason }) } : {});
  if (cluster.isDeleting) return ended("the ManagedCluster is being deleted");
  const clusterInput: ClusterInput = { ...input, cluster, subscribers: subscribersOf(input.subscription, cluster) };
  const candidate = { cluster, wasBound, score: 0, subscribers: clusterInput.subscribers };
  const no = firstNo(profile, clusterInput);
  if (no !== undefined) return ended(no.reason);
  for (const plugin of profile.plugins.filter) {
    const fit = plugin.filter(clusterInput);
    if (fit.fits) continue;
    const { reason } = fit;
    if (!wasBound) return { verdict: verdictOf(cluster, { type: "reject", plugin: plugin.name, reason }) };
    const verdict = verdictOf(cluster, { type: "keep", reason: "stays bound", despite: reason });
    return { verdict, candidate: { ...candidate, unfit: reason } };
  }
  const verdict: Verdict = wasBound ? { type: "keep", reason: "stays bound" } : { type: "bind", reason: "selected and fits" };
  return { verdict: verdictOf(cluster, verdict), candidate };
}

function subscribersOf({ spec: { subscribers } }: Subscription, { labels }: Cluster): readonly number[] {
  const matching: number[] = [];
  for (const [index, { clusterAffinity }] of subscribers.entries())
    if (matchesSelector(clusterAffinity, labels)) matching.push(index);
  return matching;
}

function verdictOf({ key }: Cluster, verdict: Verdict): ClusterVerdict {
  return { cluster: key, verdict };
}

function goneVerdict(cluster: string): ClusterVerdict {
  return { cluster, verdict: { type: "unbind", reason: "the ManagedCluster is gone" } };
}

function byCluster(a: ClusterVerdict, b: ClusterVerdict): number {
  return a.cluster < b.cluster ? -1 : 1;
}

type Assigned = Extract<Assignment, { type: "assigned" }>;

interface Judgement {
  readonly plugin: string;
  readonly verdicts: readonly ClusterVerdict[];
  readonly candidates: readonly Candidate[];
  readonly groups: Extract<SubGroups, { type: "chosen" }> | undefined;
}

function decided(assignment: Assigned, { plugin, verdicts, candidates, groups }: Judgement): BoundDecision {
  const { clusters, left = {}, replicas, divisions, shortfall = groups?.shortfall } = assignment;
  const chosen = new Set(clusters);
  const known = new Map(candidates.map((candidate) => [candidate.cluster.key, candidate]));
  for (const cluster of clusters)
    if (!known.has(cluster)) throw new PluginError(plugin, `assigns ${cluster}, which is no candidate`);
  const afterwards = verdicts.map(({ cluster, verdict }): ClusterVerdict => {
    const candidate = known.get(cluster);
    if (candidate === undefined || chosen.has(cluster)) return { cluster, verdict };
    const byGroup = groups?.left[cluster];
    if (byGroup !== undefined) return { cluster, verdict: leftByGroup(candidate, byGroup) };
    const reason = left[cluster];
    if (!candidate.wasBound) return { cluster, verdict: { type: "reject", plugin, reason: reason ?? "it was not chosen" } };
    if (reason === undefined) throw new PluginError(plugin, `leaves out ${cluster}, which is bound, and does not say why`);
    return { cluster, verdict: { type: "unbind", reason } };
  });
  return {
    type: "bound",
    clusters,
    verdicts: afterwards,
    ...(replicas === undefined ? {} : { replicas }),
    ...(divisions === undefined ? {} : { divisions }),
    ...(shortfall === undefined ? {} : { shortfall }),
  };
}

function leftByGroup({ wasBound }: Candidate, reason: string): Verdict {
  return wasBound ? { type: "unbind", reason } : { type: "reject", plugin: "SubGroups", reason };
}

/** Nothing is bound: what would help? */
function adviceFor(
  { clusters, verdicts }: BoundDecision,
  { input, profile }: { readonly input: SubscriptionInput; readonly profile: Profile },
): Pick<BoundDecision, "advice"> {
  if (clusters.length > 0) return {};
  const advice = profile.plugins.postFilter.flatMap((plugin) => plugin.postFilter({ ...input, verdicts }) ?? []);
  return advice.length === 0 ? {} : { advice };
}
