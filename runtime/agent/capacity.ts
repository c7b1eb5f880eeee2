// How many more replicas of a feed fit into this cluster, node by node, as kube-scheduler would place them. Pure.
//
// (CAP-1) An answer is never negative and fits an int32; what is overcommitted counts as full, not as an error.
// (CAP-2) A node counts only when kube-scheduler would consider it: selector, required affinity to nodes and pods, taints, unschedulable,
//         ports of the host.
// (CAP-3) Amounts are compared in kube-scheduler's units: thousandths of cpu and whole units of everything else, rounded up.

import { topologyLabels, type PredictAnswer, type PredictRequest, type TopologyKey } from "#api/proxies/v1alpha1/predictor.ts";
import { matchesNodeSelector, matchesNodeTerms } from "#kube/node-selector.ts";
import { untolerated } from "#kube/tolerations.ts";
import { compareText } from "#std/compare-text.ts";
import { amountsOf, INT32_MAX, leastOf, wholes, type Amounts, type Room } from "./amounts.ts";
import { areFree, keyOf } from "./host-ports.ts";
import { affinityRules, type AffinityRules, type PlacedPods } from "./pod-affinity.ts";
import { quotaRoom, type Quota, type QuotaNeed } from "./quota-room.ts";
import { driverOf, volumeRoom, type StorageClassFact, type VolumeNeed } from "./volume-room.ts";

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
  /** Ports that its pods take (`portKeysOf`). */
  readonly ports?: ReadonlyMap<string, number>;
  /** PersistentVolumeClaims that its pods mount, as `namespace/name`. */
  readonly claims?: ReadonlyMap<string, number>;
  /** Most volumes, by driver. */
  readonly attachable?: () => ReadonlyMap<string, bigint>;
}

export interface ClusterRoom {
  readonly nodes: readonly NodeRoom[];
  /** Of the namespace that the question names. */
  readonly quotas: readonly Quota[];
  readonly placed?: PlacedPods;
  readonly storageClasses?: () => readonly StorageClassFact[];
}

/** What one replica needs, ready to be compared. */
interface Need extends QuotaNeed {
  readonly place: Pick<PredictRequest, "nodeSelector" | "tolerations" | "affinity">;
  /** As `portKeysOf`. */
  readonly ports: readonly string[];
  /** undefined: it mounts none. */
  readonly volumes: VolumeNeed | undefined;
  /** undefined: no affinity to pods bounds it. */
  readonly affinity: AffinityRules | undefined;
}

/** As nodes, quotas and FeedInventories call it. */
const PODS = "pods";
/** An answer by place has no more places than this: those with the most room. */
const PLACES_MAX = 1_000;
/** What kube-scheduler makes of `spec.unschedulable`. */
const UNSCHEDULABLE_TAINT = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };

/** Throws RangeError when the request holds what is no quantity. */
export function capacityOf(cluster: ClusterRoom, request: PredictRequest): PredictAnswer {
  const { nodes, quotas } = cluster;
  const need = needOf(request, cluster);
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
  const total = bounded(rooms);
  // Where replicas keep together, each place has room and only one of them gets it.
  const inPlace = (parts: typeof rooms): number => Math.min(total, bounded(parts));
  const topology = (request.topology ?? []).map((key) => [key, byPlace(rooms, key, inPlace)] as const);
  return {
    replicas: { default: total },
    ...(topology.length === 0 ? {} : { topology: Object.fromEntries(topology) }),
    ...(unfit.size === 0 ? {} : { unfit: Object.fromEntries([...unfit].toSorted(([a], [b]) => compareText(a, b))) }),
  };
}

function needOf(request: PredictRequest, { nodes, placed = nothingPlaced, storageClasses }: ClusterRoom): Need {
  const { resources, hostPorts, volumes, ...place } = request;
  const limits = amountsOf(resources?.limits ?? {});
  // A request that is not set is the limit.
  const requests = new Map([...limits, ...amountsOf(resources?.requests ?? {})]);
  // A chart is one replica of several pods.
  const pods = requests.get(PODS) ?? 1n;
  requests.delete(PODS);
  for (const [name, amount] of requests) if (amount <= 0n) requests.delete(name);
  return {
    requests,
    limits,
    pods: pods < 1n ? 1n : pods,
    place,
    ports: (hostPorts ?? []).map(keyOf),
    volumes: (volumes ?? []).length === 0 ? undefined : volumeNeedOf(request, storageClasses?.() ?? []),
    affinity: affinityRules(request, { nodes, placed }),
  };
}

const nothingPlaced: PlacedPods = { all: () => [], withAntiAffinity: () => [] };

function volumeNeedOf({ volumes, namespace }: PredictRequest, classes: readonly StorageClassFact[]): VolumeNeed {
  const own = new Map<string | undefined, bigint>();
  const shared: string[] = [];
  for (const { claimName, storageClassName } of volumes ?? []) {
    const driver = driverOf(storageClassName, classes);
    if (claimName === undefined) own.set(driver, (own.get(driver) ?? 0n) + 1n);
    else shared.push(`${namespace ?? ""}/${claimName}`);
  }
  return { own, shared };
}

/** Why kube-scheduler would not even count; undefined when it would. */
function refusal(node: NodeRoom, { place: { nodeSelector, tolerations, affinity }, ...need }: Need): string | undefined {
  if (!matchesNodeSelector(nodeSelector ?? {}, node)) return "node selector";
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required !== undefined && !matchesNodeTerms(required.nodeSelectorTerms, node)) return "node affinity";
  const taints = node.isUnschedulable ? [...node.taints, UNSCHEDULABLE_TAINT] : node.taints;
  const taint = untolerated(taints, tolerations ?? []);
  if (taint !== undefined) return `taint ${taint.key}`;
  if (!areFree(need.ports, node.ports?.keys() ?? [])) return "host port";
  return need.affinity?.refusal(node);
}

function roomOn({ allocatable, used, pods, claims = noClaims, attachable }: NodeRoom, need: Need): Room {
  const slots = (allocatable.get(PODS) ?? 0n) - BigInt(pods);
  const mounted = { attachable: attachable?.() ?? noDrivers, claims: new Set(claims.keys()) };
  return leastOf([
    { replicas: wholes(slots, need.pods), scarce: PODS },
    ...(need.ports.length === 0 ? [] : [{ replicas: 1n, scarce: "host port" }]),
    ...(need.volumes === undefined ? [] : [volumeRoom(need.volumes, mounted)]),
    ...[...need.requests].map(([name, amount]) => ({
      replicas: wholes((allocatable.get(name) ?? 0n) - (used.get(name) ?? 0n), amount),
      scarce: name,
    })),
  ]);
}

const noClaims: ReadonlyMap<string, number> = new Map();
const noDrivers: ReadonlyMap<string, bigint> = new Map();

/** Replicas of one pod lie on one node each; one of several pods may lie on several nodes. */
function together(parts: readonly { readonly node: NodeRoom; readonly room: bigint }[], need: Need): bigint {
  if (need.pods === 1n) return need.affinity?.together(parts) ?? parts.reduce((sum, { room }) => sum + room, 0n);
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
  const { replicas } = leastOf(rooms);
  // Which of its pods keep away from which is not known.
  return need.affinity === undefined ? replicas : smaller(replicas, 1n);
}

function byPlace(
  parts: readonly { readonly node: NodeRoom; readonly room: bigint }[],
  key: TopologyKey,
  bounded: (parts: { readonly node: NodeRoom; readonly room: bigint }[]) => number,
): Record<string, number> {
  const places = Map.groupBy(parts, ({ node }) => node.labels[topologyLabels[key]]);
  const counted = [...places].flatMap(([place, nodes]) => (place === undefined ? [] : [[place, bounded(nodes)] as const]));
  const most = counted.toSorted(([a, left], [b, right]) => right - left || compareText(a, b)).slice(0, PLACES_MAX);
  return Object.fromEntries(most.toSorted(([a], [b]) => compareText(a, b)));
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function clamp(replicas: bigint): number {
  return Number(smaller(replicas, INT32_MAX));
}
