// Failover: which bound clusters a Subscription leaves, for which others, and when. Pure: the time and the state of the fleet are given.
//
//   bound ──its taint is no longer tolerated, and somebody can take over──▶ Leaving ──the others are Available──▶ Left ──▶ (out)
//     ▲                                                                        │                                   │
//     └───────────────── it works again, and afterRecovery is MoveBack ────────┴───────────────────────────────────┘
//   a cluster that took over and gives the work back: Returning ──the old one is Available──▶ (out)
//
// (FOV-1) Without spec.failover.enabled nothing is left: SCH-1 holds.
// (FOV-2) While too many clusters are silent at once, nothing begins to be left and nothing is unbound because of failover.
// (FOV-3) Where nobody can take over, the binding stays unless the Subscription says Unbind.
// (FOV-4) Graceful: a cluster is unbound after everything that replaces it is Available, or after the time that the Subscription gives that.
// (FOV-5) What must survive this process is in status.failover. A cluster that was left gets nothing again before it works.

import type { Move } from "#api/apps/v1alpha1/failover.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { conditionTypes } from "#api/names.ts";
import { matchesSelector } from "#kube/selector.ts";
import { findCondition, rfc3339 } from "#kube/conditions.ts";
import { isDividedByCapacity } from "#scheduler/capacity-questions.ts";
import { noCapacities } from "#scheduler/capacity.ts";
import type { BoundDecision, ClusterVerdict, Decision } from "#scheduler/decision.ts";
import { schedule, type ScheduleInput } from "#scheduler/schedule.ts";
import type { Cluster } from "#scheduler/snapshot.ts";
import { compareText } from "#std/compare-text.ts";
import { shortList } from "#std/short-list.ts";
import { whyNotAvailable } from "./available.ts";
import { dueOf, isRecovered } from "./due.ts";
import type { FleetView } from "./fleet-guard.ts";
import { moveText, type FailoverEvent, type FailoverReport, type Note } from "./report.ts";
import { failoverOf, type FailoverSettings } from "./settings.ts";
import { anew, compare, snapshotWithout, subscriptionWithout, withKept } from "./without.ts";

/** Clusters in a message; the rest is a number. */
const SHOWN_MAX = 3;

export interface FailoverInput extends ScheduleInput {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly fleet: FleetView;
}

/** As schedule(), and besides: what failover changes. */
export function scheduleWithFailover(subscription: Subscription, input: FailoverInput): Decision {
  const settings = failoverOf(subscription);
  const known = subscription.status?.failover ?? [];
  if (!settings.enabled && known.length === 0) return schedule(subscription, input);
  const context: Context = {
    subscription,
    input,
    settings,
    bound: new Set(subscription.status?.bindingClusters ?? input.existing),
  };
  const kept = goOn(known, context);
  const begun = begin(returnTo(kept, context), context);
  return conclude(begun, context);
}

interface Context {
  readonly subscription: Subscription;
  readonly input: FailoverInput;
  readonly settings: FailoverSettings;
  readonly bound: ReadonlySet<string>;
}

/** What the clusters get when these are left, as if they were not there. */
function decideWithout(moves: readonly Move[], { subscription, input }: Context, isAnew = false): Decision {
  const away = new Set(moves.map(({ cluster }) => cluster));
  const snapshot = snapshotWithout(input.snapshot, away);
  const { capacities = noCapacities } = input;
  const others = { subscription: subscriptionWithout(subscription, away), capacities };
  const asked = isAnew ? anew(others, snapshot) : others;
  return schedule(asked.subscription, {
    ...input,
    snapshot,
    capacities: asked.capacities,
    existing: (input.existing ?? []).filter((key) => !away.has(key)),
  });
}

interface Kept {
  readonly moves: readonly Move[];
  /** Clusters that work again and get their work back. */
  readonly returning: readonly Move[];
}

/** What was begun before: still so, over, or to be undone? */
function goOn(known: readonly Move[], context: Context): Kept {
  const moves: Move[] = [];
  const returning: Move[] = [];
  for (const move of known) {
    const next = nextOf(move, known, context);
    if (next === "keep") moves.push(move);
    if (next === "return") returning.push(move);
  }
  return { moves, returning };
}

function nextOf(
  move: Move,
  known: readonly Move[],
  { subscription, input, settings, bound }: Context,
): "keep" | "drop" | "return" {
  const { cluster: key, phase, to = [] } = move;
  const cluster = input.snapshot.get(key);
  if (cluster === undefined || cluster.isDeleting || !isSelected(subscription, cluster)) return "drop";
  if (!settings.enabled && phase !== "Left") return "drop";
  const isServing = (each: string): boolean => bound.has(each) && !isDue(each, { subscription, input });
  // Silent once more is not lost once more: that takes its whole toleration, as for every other cluster.
  if (phase === "Returning") return bound.has(key) && to.some(isServing) ? "keep" : "drop";
  if (!isRecovered(subscription, cluster)) return "keep";
  if (!settings.enabled) return "drop";
  if (settings.afterRecovery === "MoveBack") return "return";
  const moving = new Set(known.map((each) => each.cluster));
  return to.some((each) => isServing(each) && !moving.has(each)) ? "keep" : "drop";
}

function isDue(key: string, { subscription, input }: Pick<Context, "subscription" | "input">): boolean {
  const { snapshot, now, fleet } = input;
  const cluster = snapshot.get(key);
  if (cluster === undefined || cluster.isDeleting) return true;
  return fleet.held === undefined && dueOf(subscription, cluster, { now, notBefore: fleet.notBefore }).type === "due";
}

function isSelected({ spec }: Subscription, { labels }: Cluster): boolean {
  return spec.subscribers.some(({ clusterAffinity }) => matchesSelector(clusterAffinity, labels));
}

interface Standing {
  readonly moves: readonly Move[];
  /** Replicas are shared out afresh, so that a cluster gets back what it had. */
  readonly isAnew: boolean;
  readonly events: readonly FailoverEvent[];
}

/** MoveBack: a Replication gives back the clusters that were bound instead, a Dividing divides anew. */
function returnTo({ moves, returning }: Kept, context: Context): Standing {
  const isDividing = context.subscription.spec.schedulingStrategy === "Dividing";
  let standing: Standing = { moves: [...moves, ...returning], isAnew: false, events: [] };
  let back: readonly Move[] = [];
  // One after the other: who cannot return yet keeps nobody else away.
  for (const one of returning) {
    const trial = [...back, one];
    const away = [...moves, ...returning.filter((move) => !trial.includes(move))];
    const next = [...away, ...(isDividing ? [] : givenBack(trial, away, context))];
    const decision = decideWithout(next, context, isDividing);
    if (decision.type !== "bound" || !trial.every(({ cluster }) => decision.clusters.includes(cluster))) continue;
    back = trial;
    const events = back.map(({ cluster }) => event("failover", `${cluster} works again and gets its work back`));
    standing = { moves: next, isAnew: isDividing, events };
  }
  return standing;
}

/** Clusters that stood in: each once, with all that it stood in for. */
function givenBack(back: readonly Move[], away: readonly Move[], { input, bound }: Context): readonly Move[] {
  const instead = new Set(back.flatMap(({ to = [] }) => to).filter((key) => bound.has(key)));
  for (const { cluster } of away) instead.delete(cluster);
  return [...instead].map((cluster) => ({
    cluster,
    phase: "Returning",
    since: rfc3339(input.now),
    to: back.filter(({ to = [] }) => to.includes(cluster)).map((move) => move.cluster),
    reason: "what it stood in for works again",
  }));
}

interface Begun extends Standing {
  readonly notes: readonly Note[];
  readonly started: number;
  readonly lookAgainAt: readonly number[];
}

/** Which further clusters are to be left? One after the other: each needs somebody who takes over. */
function begin({ moves, isAnew, events }: Standing, context: Context): Begun {
  const { input, settings } = context;
  let state: Begun = { moves, isAnew, events, notes: heldBack(moves, input.fleet), started: 0, lookAgainAt: [] };
  if (!settings.enabled) return state;
  for (const cluster of input.snapshot.clusters) {
    const isCandidate = context.bound.has(cluster.key) && !cluster.isDeleting && isSelected(context.subscription, cluster);
    if (isCandidate && !moves.some((move) => move.cluster === cluster.key)) state = beginOne(cluster, state, context);
  }
  return state;
}

function heldBack(moves: readonly Move[], { held }: FleetView): readonly Note[] {
  if (held === undefined) return [];
  const begun = moves.filter(({ phase }) => phase === "Leaving");
  return begun.map(({ cluster }) => ({ cluster, reason: "Held", message: `eviction is held: ${held}` }));
}

function beginOne(cluster: Cluster, state: Begun, context: Context): Begun {
  const { subscription, input } = context;
  const { now, fleet } = input;
  const due = dueOf(subscription, cluster, { now, notBefore: fleet.notBefore });
  const noted = (reason: Note["reason"], message: string, at?: number): Begun => ({
    ...state,
    notes: [...state.notes, { cluster: cluster.key, reason, message }],
    lookAgainAt: at === undefined || !Number.isFinite(at) ? state.lookAgainAt : [...state.lookAgainAt, at],
  });
  if (due.type === "works" || (due.type === "tolerated" && due.until === undefined)) return state;
  if (fleet.held !== undefined) return noted("Held", `eviction is held: ${fleet.held}`);
  if (due.type === "tolerated") return noted("Tolerated", due.reason, due.until);
  if (state.started >= fleet.free)
    return noted("RateLimited", "enough other clusters are left in this minute", Math.max(fleet.nextAt, now + 1_000));
  return leave(cluster, { state, reason: due.reason, noted }, context);
}

interface Leave {
  readonly state: Begun;
  readonly reason: string;
  readonly noted: (reason: Note["reason"], message: string, at?: number) => Begun;
}

/** Nobody tells the parent when pods end in a child: who found no room asks again after so long. */
const ROOM_CHECK_MS = 30_000;

function leave({ key }: Cluster, { state, reason, noted }: Leave, context: Context): Begun {
  const { input, settings } = context;
  const before = decideWithout(state.moves, context, state.isAnew);
  const move: Move = { cluster: key, phase: "Leaving", since: rfc3339(input.now), reason };
  const after = decideWithout([...state.moves, move], context, state.isAnew);
  const at = isDividedByCapacity(context.subscription) ? input.now + ROOM_CHECK_MS : undefined;
  const stays = (why: string): Begun => noted("NoReplacement", why, at);
  if (before.type !== "bound") return stays(before.message);
  if (after.type !== "bound") return stays(after.message);
  const { takers, missing } = compare(before, after);
  if (settings.withoutReplacement === "Keep") {
    if (takers.length === 0) return stays("no other cluster can take over, and withoutReplacement is Keep");
    if (missing > 0) return stays(`the others have no room for ${String(missing)} replicas`);
  }
  const begun: Move = { ...move, ...(takers.length === 0 ? {} : { to: takers }) };
  const events = [...state.events, event("failoverStarted", moveText(begun))];
  return { ...state, moves: [...state.moves, begun], started: state.started + 1, events };
}

function conclude(state: Begun, context: Context): Decision {
  const { subscription } = context;
  const decision = decideWithout(state.moves, context, state.isAnew);
  // It waits for something, or cannot be done: bindings stay, and with them what is being left.
  if (decision.type !== "bound") return decision;
  const concluded = state.moves.map((move) => concludeOne(move, { decision, state }, context));
  const leaving = concluded.filter(({ isKept }) => isKept).map(({ move }) => move.cluster);
  const ended = concluded.filter(({ ended: why }) => why !== undefined);
  const times = [...state.lookAgainAt, ...concluded.flatMap(({ until }) => until ?? [])];
  const report: FailoverReport = {
    moves: concluded.flatMap(({ move, isOver }) => (isOver ? [] : [move])).toSorted((a, b) => compareText(a.cluster, b.cluster)),
    notes: state.notes,
    unbound: ended.map(({ move }) => move.cluster),
    started: state.started,
    ...(times.length === 0 ? {} : { lookAgainAt: Math.min(...times) }),
    events: [
      ...state.events,
      ...ended.map(({ move, ended: why }) => event("failover", `${move.cluster} is not bound any more: ${why ?? ""}`)),
      ...heldEvents(subscription, state.notes),
    ],
  };
  const verdicts = [...decision.verdicts, ...concluded.map(({ verdict }) => verdict)].map((each) => withNote(each, state.notes));
  return { ...withKept(decision, leaving, subscription), verdicts: verdicts.toSorted(byCluster), failover: report };
}

interface Concluded {
  readonly move: Move;
  readonly verdict: ClusterVerdict;
  /** It is still bound. */
  readonly isKept: boolean;
  /** Nothing has to be remembered. */
  readonly isOver: boolean;
  /** Why it is unbound now. */
  readonly ended?: string;
  readonly until?: number;
}

interface Replacing {
  readonly decision: BoundDecision;
  readonly state: Begun;
}

function concludeOne(known: Move, replacing: Replacing, context: Context): Concluded {
  const { input, settings, bound } = context;
  const { cluster, phase, reason } = known;
  const text = (verdict: ClusterVerdict["verdict"]): ClusterVerdict => ({ cluster, verdict });
  if (phase === "Left" || (phase === "Leaving" && !bound.has(cluster))) {
    const move: Move = { ...known, phase: "Left" };
    const verdict = text({ type: "reject", plugin: "Failover", reason: `its work left it: ${reason}` });
    return { move, verdict, isKept: false, isOver: false };
  }
  const to = takersOf(known, replacing, context);
  const { to: _before, ...rest } = known;
  const move: Move = to.length === 0 ? rest : { ...rest, to };
  // While all was silent, nothing could become Available: that time does not count.
  const until = Math.max(Date.parse(move.since), input.fleet.notBefore) + settings.gracefulTimeoutSeconds * 1_000;
  const ended = endOf(move, until, context);
  if (ended === undefined) {
    const despite = phase === "Leaving" ? reason : `${reason}: ${to.join(", ")}`;
    const verdict = text({ type: "keep", reason: "stays bound until its replacement is Available", despite });
    const isTimed = input.fleet.held === undefined && phase === "Leaving";
    return { move, verdict, isKept: true, isOver: false, ...(isTimed ? { until } : {}) };
  }
  const verdict = text({ type: "unbind", reason: ended });
  const left: Move = { ...move, phase: "Left", since: rfc3339(input.now) };
  return { move: left, verdict, isKept: false, isOver: phase === "Returning", ended };
}

/** Who took over; and who does for those of them that are left themselves. */
function takersOf(
  { cluster, phase, to = [] }: Move,
  { decision, state: { moves, isAnew } }: Replacing,
  context: Context,
): readonly string[] {
  const still = to.filter((key) => decision.clusters.includes(key));
  if (phase === "Returning" || still.length === to.length) return still;
  const others = moves.filter((move) => move.cluster !== cluster);
  const before = decideWithout(others, context, isAnew);
  const further = before.type === "bound" ? compare(before, decision).takers : [];
  return [...new Set([...still, ...further])].toSorted();
}

/** Why it may be unbound now; undefined: not yet. */
function endOf({ phase, to = [], reason }: Move, until: number, { subscription, input, settings }: Context): string | undefined {
  const { snapshot, fleet, now } = input;
  if (fleet.held !== undefined) return undefined;
  if (settings.eviction === "Immediate" && phase === "Leaving") return reason;
  const missing = to.flatMap((key) => {
    const cluster = snapshot.get(key);
    // A silent one said before that all is Available.
    const works = cluster !== undefined && isRecovered(subscription, cluster);
    const why = works ? whyNotAvailable(subscription, cluster) : "it does not work";
    return why === undefined ? [] : [`${key}: ${why}`];
  });
  if (missing.length === 0) return to.length === 0 ? reason : `${reason}; ${to.join(", ")} took over`;
  if (now < until || phase === "Returning") return undefined;
  return `${reason}; what replaces it is not Available after ${String(settings.gracefulTimeoutSeconds)} s (${shortList(missing, SHOWN_MAX).join(", ")})`;
}

function withNote({ cluster, verdict }: ClusterVerdict, notes: readonly Note[]): ClusterVerdict {
  const note = notes.find((each) => each.cluster === cluster);
  if (note === undefined || verdict.type !== "keep") return { cluster, verdict };
  const despite = [...(verdict.despite === undefined ? [] : [verdict.despite]), note.message].join("; ");
  return { cluster, verdict: { ...verdict, despite } };
}

/** Said once per hold. */
function heldEvents({ status }: Subscription, notes: readonly Note[]): readonly FailoverEvent[] {
  const held = notes.find(({ reason }) => reason === "Held");
  const before = findCondition(status?.conditions, conditionTypes.failover);
  if (held === undefined || before?.reason === "Held") return [];
  return [event("failoverHeld", `${held.cluster} is not left: ${held.message}`)];
}

function event(reason: FailoverEvent["reason"], message: string): FailoverEvent {
  return { type: reason === "failover" ? "Normal" : "Warning", reason, message };
}

function byCluster(a: ClusterVerdict, b: ClusterVerdict): number {
  return compareText(a.cluster, b.cluster);
}
