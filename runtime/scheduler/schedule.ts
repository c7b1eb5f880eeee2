// (Subscription, snapshot, profile) -> Decision. Pure: the same input always gives the same decision.
//
// (SCH-1) Silence never unbinds: a bound cluster stays while the Subscription still selects it and its ManagedCluster is there,
//         whatever its taints, its readiness, or the number of clusters that fit. Only an assign plugin that gives a reason lets go.
//         A Subscription that does not know its bindings starts from the clusters that have a Base of it.
// (SCH-2) What this scheduler does not do is refused as a whole; bindings that exist stay.
// (SCH-3) Clusters are looked at ascending by key, and every tie is broken by key.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { matcherOf } from "#kube/selector.ts";
import { compareText } from "#std/compare-text.ts";
import { noCapacities, type Capacities } from "./capacity.ts";
import { refused, type BoundDecision, type ClusterVerdict, type Decision, type Verdict } from "./decision.ts";
import { withEnough } from "./enough-clusters.ts";
import type {
  AssignInput,
  Assignment,
  Bindings,
  Candidate,
  ClusterInput,
  FeedNeed,
  PreFilterResult,
  SubscriptionInput,
} from "./plugin.ts";
import type { Profile } from "./profile.ts";
import { PluginError } from "./plugin-error.ts";
import { noLimits, type Limits } from "./preempt/room.ts";
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
  /** Where it has to give room to a higher priority. */
  readonly limits?: Limits;
  readonly bindings?: Bindings;
  /** Around the work of each stage; absent: nobody looks at the clock. */
  readonly stage?: TimeStage;
}

export type TimeStage = <T>(stage: "preFilter" | "filter" | "score" | "assign", work: () => T) => T;

const untimed: TimeStage = (_stage, work) => work();

const noBindings: Bindings = { of: () => 0 };

export function schedule(subscription: Subscription, scheduleInput: ScheduleInput): Decision {
  const { profile, existing = [], stage = untimed } = scheduleInput;
  const input = subscriptionInput(subscription, scheduleInput);
  const stop = stage("preFilter", () => firstStop(profile.plugins.preFilter, (plugin) => plugin.preFilter(input)));
  if (stop !== undefined) return stop;
  const bound = new Set(subscription.status?.bindingClusters ?? existing);
  const all = stage("filter", () => judgeAll({ input, profile, bound }));
  const judged = withEnough(all, subscription, profile.options);
  const unscored = judged.flatMap(({ candidate }) => candidate ?? []);
  const { candidates, scores } = stage("score", () => scoreCandidates(unscored, { profile, input }));
  const groups = subscription.spec.schedulingBySubGroup === true ? chooseBySubGroup(subscription, candidates) : undefined;
  if (groups?.type === "refused") return groups;
  const assignInput = { ...input, candidates: groups?.candidates ?? candidates };
  const assigned = stage("assign", () => assign(profile, assignInput));
  if (assigned.type !== "assigned") return assigned;
  const decision = decided(assigned.assignment, { plugin: assigned.plugin, judged, groups });
  return { ...decision, ...(scores === undefined ? {} : { scores }), ...adviceFor(decision, { input, profile }) };
}

/** Of the first plugin that is meant. */
interface PluginAssignment {
  readonly type: "assigned";
  readonly plugin: string;
  readonly assignment: Assigned;
}

function assign({ plugins }: Profile, input: AssignInput): PluginAssignment | Decision {
  const stopped = firstStop(plugins.preAssign, (plugin) => plugin.preAssign(input));
  if (stopped !== undefined) return stopped;
  for (const plugin of plugins.assign) {
    const assignment = plugin.assign(input);
    if (assignment.type === "skip") continue;
    if (assignment.type !== "assigned") return stoppedBy(assignment);
    return { type: "assigned", plugin: plugin.name, assignment };
  }
  return unsupportedStrategy(input.subscription);
}

/** What every plugin is given. */
export function subscriptionInput(subscription: Subscription, scheduleInput: ScheduleInput): SubscriptionInput {
  const { snapshot, profile, needs = [], capacities = noCapacities, limits = noLimits, bindings = noBindings } = scheduleInput;
  return { subscription, snapshot, needs, capacities, limits, bindings, options: profile.options };
}

/** Who says that the Subscription does not ask for this cluster; undefined: it does. */
export function whyNotSelected(
  subscription: Subscription,
  cluster: Cluster,
  scheduleInput: ScheduleInput,
): { readonly plugin: string; readonly reason: string } | undefined {
  const subscribers = subscribersOf(affinitiesOf(subscription), cluster);
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

/** What is said about a cluster that the Subscription asks for, or is bound to. */
interface Judged {
  readonly said: ClusterVerdict;
  readonly candidate?: Candidate;
}

interface JudgeOptions {
  readonly input: SubscriptionInput;
  readonly profile: Profile;
  readonly bound: ReadonlySet<string>;
}

/** Ascending by key. */
function judgeAll(options: JudgeOptions): readonly Judged[] {
  const { input, bound } = options;
  const affinities = affinitiesOf(input.subscription);
  const judged: Judged[] = [];
  for (const cluster of input.snapshot.clusters) {
    const one = judge(cluster, { ...options, subscribers: subscribersOf(affinities, cluster) });
    if (one !== undefined) judged.push(one);
  }
  const gone = [...bound].filter((key) => input.snapshot.get(key) === undefined).map(goneFrom);
  return gone.length === 0 ? judged : [...judged, ...gone].sort(byCluster);
}

/** undefined: the Subscription never asked for this cluster. */
function judge(
  cluster: Cluster,
  { input, profile, bound, subscribers }: JudgeOptions & Pick<ClusterInput, "subscribers">,
): Judged | undefined {
  const wasBound = bound.has(cluster.key);
  const ended = (reason: string): Judged | undefined => (wasBound ? judgedAs(cluster, { type: "unbind", reason }) : undefined);
  if (cluster.isDeleting) return ended("the ManagedCluster is being deleted");
  const clusterInput: ClusterInput = { ...input, cluster, subscribers };
  const no = firstNo(profile, clusterInput);
  if (no !== undefined) return ended(no.reason);
  for (const plugin of profile.plugins.filter) {
    const fit = plugin.filter(clusterInput);
    if (fit.fits) continue;
    const { reason } = fit;
    if (!wasBound) return judgedAs(cluster, { type: "reject", plugin: plugin.name, reason });
    const unfit = { cluster, wasBound, score: 0, subscribers, unfit: reason };
    return judgedAs(cluster, { type: "keep", reason: "stays bound", despite: reason }, unfit);
  }
  return judgedAs(cluster, wasBound ? stays : comes, { cluster, wasBound, score: 0, subscribers });
}

const stays: Verdict = { type: "keep", reason: "stays bound" };
const comes: Verdict = { type: "bind", reason: "selected and fits" };

type Affinity = ReturnType<typeof matcherOf>;

function affinitiesOf({ spec: { subscribers } }: Subscription): readonly Affinity[] {
  return subscribers.map(({ clusterAffinity }) => matcherOf(clusterAffinity));
}

const nobody: readonly number[] = [];

function subscribersOf(affinities: readonly Affinity[], { labels }: Cluster): readonly number[] {
  let matching: number[] | undefined;
  for (let index = 0; index < affinities.length; index += 1)
    if (affinities[index]?.(labels) === true) (matching ??= []).push(index);
  return matching ?? nobody;
}

function judgedAs({ key }: Cluster, verdict: Verdict, candidate?: Candidate): Judged {
  const said = { cluster: key, verdict };
  return candidate === undefined ? { said } : { said, candidate };
}

function goneFrom(cluster: string): Judged {
  return { said: { cluster, verdict: { type: "unbind", reason: "the ManagedCluster is gone" } } };
}

function byCluster({ said: a }: Judged, { said: b }: Judged): number {
  return compareText(a.cluster, b.cluster);
}

type Assigned = Extract<Assignment, { type: "assigned" }>;

interface Judgement {
  readonly plugin: string;
  readonly judged: readonly Judged[];
  readonly groups: Extract<SubGroups, { type: "chosen" }> | undefined;
}

function decided(assignment: Assigned, { plugin, judged, groups }: Judgement): BoundDecision {
  const {
    clusters,
    left = {},
    leftOtherwise = "it was not chosen",
    replicas,
    divisions,
    shortfall = groups?.shortfall,
  } = assignment;
  const chosen = new Set(clusters);
  refuseOthers(chosen, { plugin, judged });
  const reasons = new Map(Object.entries(left));
  const rejected = rejectedBy(plugin);
  const verdicts = judged.map(({ said, candidate }): ClusterVerdict => {
    const { cluster } = said;
    if (candidate === undefined) return said;
    if (chosen.has(cluster)) return said;
    const byGroup = groups?.left[cluster];
    if (byGroup !== undefined) return { cluster, verdict: leftByGroup(candidate, byGroup) };
    const reason = reasons.get(cluster);
    if (!candidate.wasBound) return { cluster, verdict: rejected(reason ?? leftOtherwise) };
    if (reason === undefined) throw new PluginError(plugin, `leaves out ${cluster}, which is bound, and does not say why`);
    return { cluster, verdict: { type: "unbind", reason } };
  });
  return {
    type: "bound",
    clusters,
    verdicts,
    ...(replicas === undefined ? {} : { replicas }),
    ...(divisions === undefined ? {} : { divisions }),
    ...(shortfall === undefined ? {} : { shortfall }),
  };
}

function refuseOthers(chosen: ReadonlySet<string>, { plugin, judged }: Pick<Judgement, "plugin" | "judged">): void {
  const others = new Set(chosen);
  for (const { said, candidate } of judged) if (candidate !== undefined) others.delete(said.cluster);
  for (const cluster of others) throw new PluginError(plugin, `assigns ${cluster}, which is no candidate`);
}

/** Thousands of clusters are left out for one reason: they share what is said. */
function rejectedBy(plugin: string): (reason: string) => Verdict {
  const known = new Map<string, Verdict>();
  return (reason) => {
    const verdict = known.get(reason) ?? { type: "reject", plugin, reason };
    known.set(reason, verdict);
    return verdict;
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
