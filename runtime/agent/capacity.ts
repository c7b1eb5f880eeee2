// How many more replicas of a feed fit into this cluster, node by node, as kube-scheduler would place them. Pure.
//
// (CAP-1) An answer is never negative and fits an int32; what is overcommitted counts as full, not as an error.
// (CAP-2) A node counts only when kube-scheduler would consider it: selector, required node affinity, taints, unschedulable.
// (CAP-3) Amounts are compared in kube-scheduler's units: thousandths of cpu and whole units of everything else, rounded up.

import { topologyLabels, type PredictAnswer, type PredictRequest, type TopologyKey } from "#api/proxies/v1alpha1/predictor.ts";
import { matchesNodeSelector, matchesNodeTerms } from "#kube/node-selector.ts";
import { untolerated } from "#kube/tolerations.ts";
import { amountsOf, INT32_MAX, leastOf, wholes, type Amounts, type Room } from "./amounts.ts";
import { quotaRoom, type Quota, type QuotaNeed } from "./quota-room.ts";

/** One node, and what runs there. */
export interface NodeRoom {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  readonly isUnschedulable: boolean;
  readonly allocatable: Amounts;
  /** Requests of the pods that are bound to it and not over. */
  readonly used: Amounts;
  readonly pods: number;
}

export interface ClusterRoom {
  readonly nodes: readonly NodeRoom[];
  /** Of the namespace that the question names. */
  readonly quotas: readonly Quota[];
}

/** What one replica needs, ready to be compared. */
interface Need extends QuotaNeed {
  readonly place: Pick<PredictRequest, "nodeSelector" | "tolerations" | "affinity">;
}

/** As nodes, quotas and FeedInventories call it. */
const PODS = "pods";
/** An answer by place has no more places than this: those with the most room. */
const PLACES_MAX = 1_000;
/** What kube-scheduler makes of `spec.unschedulable`. */
const UNSCHEDULABLE_TAINT = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };

/** Throws RangeError when the request holds what is no quantity. */
export function capacityOf({ nodes, quotas }: ClusterRoom, request: PredictRequest): PredictAnswer {
  const need = needOf(request);
  const unfit = new Map<string, number>();
  const rooms: { readonly node: NodeRoom; readonly room: bigint }[] = [];
  for (const node of nodes) {
    const room = roomOn(node, need);
    const reason = refusal(node, need) ?? (need.pods === 1n && room.replicas === 0n ? `insufficient ${room.scarce}` : undefined);
    if (reason === undefined) rooms.push({ node, room: room.replicas });
    else unfit.set(reason, (unfit.get(reason) ?? 0) + 1);
  }
  const quota = quotaRoom(quotas, need);
  if (quota.replicas === 0n) unfit.set(`quota: ${quota.scarce}`, nodes.length);
  const bounded = (parts: typeof rooms): number => clamp(smaller(together(parts, need), quota.replicas));
  const topology = (request.topology ?? []).map((key) => [key, byPlace(rooms, key, bounded)] as const);
  return {
    replicas: { default: bounded(rooms) },
    ...(topology.length === 0 ? {} : { topology: Object.fromEntries(topology) }),
    ...(unfit.size === 0 ? {} : { unfit: Object.fromEntries([...unfit].toSorted(([a], [b]) => (a < b ? -1 : 1))) }),
  };
}

function needOf({ resources, ...place }: PredictRequest): Need {
  const limits = amountsOf(resources?.limits ?? {});
  // A request that is not set is the limit.
  const requests = new Map([...limits, ...amountsOf(resources?.requests ?? {})]);
  // A chart is one replica of several pods.
  const pods = requests.get(PODS) ?? 1n;
  requests.delete(PODS);
  for (const [name, amount] of requests) if (amount <= 0n) requests.delete(name);
  return { requests, limits, pods: pods < 1n ? 1n : pods, place };
}

/** Why kube-scheduler would not even count; undefined when it would. */
function refusal(node: NodeRoom, { place: { nodeSelector, tolerations, affinity } }: Need): string | undefined {
  if (!matchesNodeSelector(nodeSelector ?? {}, node)) return "node selector";
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required !== undefined && !matchesNodeTerms(required.nodeSelectorTerms, node)) return "node affinity";
  const taints = node.isUnschedulable ? [...node.taints, UNSCHEDULABLE_TAINT] : node.taints;
  const taint = untolerated(taints, tolerations ?? []);
  return taint === undefined ? undefined : `taint ${taint.key}`;
}

function roomOn({ allocatable, used, pods }: NodeRoom, need: Need): Room {
  const slots = (allocatable.get(PODS) ?? 0n) - BigInt(pods);
  return leastOf([
    { replicas: wholes(slots, need.pods), scarce: PODS },
    ...[...need.requests].map(([name, amount]) => ({
      replicas: wholes((allocatable.get(name) ?? 0n) - (used.get(name) ?? 0n), amount),
      scarce: name,
    })),
  ]);
}

/** Replicas of one pod lie on one node each; one of several pods may lie on several nodes. */
function together(parts: readonly { readonly node: NodeRoom; readonly room: bigint }[], need: Need): bigint {
  if (need.pods === 1n) return parts.reduce((sum, { room }) => sum + room, 0n);
  const free = (name: string, { allocatable, used, pods }: NodeRoom): bigint => {
    const left = (allocatable.get(name) ?? 0n) - (name === PODS ? BigInt(pods) : (used.get(name) ?? 0n));
    return left > 0n ? left : 0n;
  };
  const rooms = [...need.requests, [PODS, need.pods] as const].map(([name, amount]) => ({
    replicas: wholes(
      parts.reduce((sum, { node }) => sum + free(name, node), 0n),
      amount,
    ),
    scarce: name,
  }));
  return leastOf(rooms).replicas;
}

function byPlace(
  parts: readonly { readonly node: NodeRoom; readonly room: bigint }[],
  key: TopologyKey,
  bounded: (parts: { readonly node: NodeRoom; readonly room: bigint }[]) => number,
): Record<string, number> {
  const places = Map.groupBy(parts, ({ node }) => node.labels[topologyLabels[key]]);
  const counted = [...places].flatMap(([place, nodes]) => (place === undefined ? [] : [[place, bounded(nodes)] as const]));
  const most = counted.toSorted(([a, left], [b, right]) => right - left || (a < b ? -1 : 1)).slice(0, PLACES_MAX);
  return Object.fromEntries(most.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function clamp(replicas: bigint): number {
  return Number(smaller(replicas, INT32_MAX));
}
