// What was observed of this cluster -> the status of its ManagedCluster. Pure.

import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { conditionReasons, conditionTypes } from "#api/names.ts";
import { PREDICTOR_HOST } from "#api/proxies/v1alpha1/socket.ts";
import type { Node, Pod, ResourceList } from "#kube/builtin-kinds.ts";
import { rfc3339, type NewCondition } from "#kube/conditions.ts";
import { formatBinary, formatDecimal, sumQuantities } from "#std/quantity.ts";

type Status = NonNullable<ManagedCluster["status"]>;

/** Everything but the conditions, which others write too. */
export type ReportedStatus = Omit<Status, "conditions" | "observedGeneration">;

export interface ClusterObservation {
  /** By this child's clock. For people: how old a report is, the parent measures itself. */
  readonly observedAtMs: number;
  readonly version: { readonly gitVersion: string; readonly platform: string };
  readonly health: { readonly healthz: boolean; readonly livez: boolean; readonly readyz: boolean };
  readonly nodes: readonly Node[];
  /** Of kube-system, with the flags of the control plane. */
  readonly systemPods: readonly Pod[];
  /** Absent: no metrics server, or not asked. */
  readonly usage?: ClusterUsage;
}

export interface ClusterUsage {
  readonly pods: readonly { readonly containers: number }[];
  readonly nodes: readonly ResourceList[];
}

/** What does not change while the agent runs. */
export interface AgentFacts {
  readonly agentVersion: string;
  readonly apiserverUrl: string;
  readonly allowPush: boolean;
  /** Questions for this cluster's capacity are answered, through the tunnel. */
  readonly predictor: boolean;
  /** They are also answered here, without the tunnel. */
  readonly predictorDirectUrl?: string | undefined;
  readonly reportFrequencyMs: number;
  /** When no pod tells. */
  readonly clusterCidr: string;
  readonly serviceCidr: string;
}

/** Above them the parent would only be told of limits that we do not have. */
const KUBE_QPS = 50;
const KUBE_BURST = 100;
const REPORTED_RESOURCES = ["cpu", "memory", "nvidia.com/gpu"] as const;

export function clusterStatus(observation: ClusterObservation, facts: AgentFacts): ReportedStatus {
  const { nodes, systemPods, usage } = observation;
  const clusterCidr = flagOf(systemPods, CLUSTER_CIDR_SOURCES) ?? facts.clusterCidr;
  const serviceCidr = flagOf(systemPods, SERVICE_CIDR_SOURCES) ?? facts.serviceCidr;
  return {
    lastObservedTime: rfc3339(observation.observedAtMs),
    k8sVersion: observation.version.gitVersion,
    platform: observation.version.platform,
    agentVersion: facts.agentVersion,
    apiserverURL: facts.apiserverUrl,
    ...observation.health,
    appPusher: facts.allowPush,
    useSocket: true,
    kubeQPS: KUBE_QPS,
    kubeBurst: KUBE_BURST,
    capacity: totals(nodes.map(({ status }) => status?.capacity ?? {})),
    allocatable: totals(nodes.map(({ status }) => status?.allocatable ?? {})),
    ...(clusterCidr === "" ? {} : { clusterCIDR: clusterCidr }),
    ...(serviceCidr === "" ? {} : { serviceCIDR: serviceCidr }),
    nodeStatistics: nodeStatistics(nodes),
    ...(usage === undefined ? {} : usageOf(usage)),
    heartbeatFrequencySeconds: Math.max(1, Math.round(facts.reportFrequencyMs / 1_000)),
    predictorEnabled: facts.predictor,
    // Never an address of this machine: to the parent that would be itself.
    ...(facts.predictor ? { predictorAddress: facts.predictorDirectUrl ?? `http://${PREDICTOR_HOST}` } : {}),
    predictorDirectAccess: facts.predictorDirectUrl !== undefined,
  };
}

export function readyCondition({ livez, readyz, healthz }: ClusterObservation["health"]): NewCondition {
  const isReady = (livez && readyz) || healthz;
  return isReady
    ? {
        type: conditionTypes.ready,
        status: "True",
        reason: conditionReasons.managedClusterReady,
        message: "The API server of the cluster is healthy",
      }
    : {
        type: conditionTypes.ready,
        status: "False",
        reason: conditionReasons.managedClusterNotReady,
        message: `The API server of the cluster is not healthy: livez ${text(livez)}, readyz ${text(readyz)}, healthz ${text(healthz)}`,
      };
}

function text(isOk: boolean): string {
  return isOk ? "ok" : "failed";
}

function nodeStatistics(nodes: readonly Node[]): NonNullable<Status["nodeStatistics"]> {
  const count = (wanted: string | undefined): number =>
    nodes.filter(({ status }) => status?.conditions?.find(({ type }) => type === "Ready")?.status === wanted).length;
  return {
    readyNodes: count("True"),
    notReadyNodes: count("False"),
    unknownNodes: count("Unknown"),
    lostNodes: count(undefined),
  };
}

function totals(lists: readonly ResourceList[]): ResourceList {
  return Object.fromEntries(
    REPORTED_RESOURCES.flatMap((resource) => {
      const quantities = lists.flatMap((list) => list[resource] ?? []);
      if (quantities.length === 0) return [];
      const sum = sumQuantities(quantities);
      return [[resource, resource === "memory" ? formatBinary(sum) : formatDecimal(sum)]];
    }),
  );
}

function usageOf({ pods, nodes }: ClusterUsage): Pick<ReportedStatus, "podStatistics" | "resourceUsage"> {
  const sum = (resource: string): bigint => sumQuantities(nodes.flatMap((node) => node[resource] ?? []));
  return {
    podStatistics: { totalPods: pods.length, runningPods: pods.filter(({ containers }) => containers > 0).length },
    resourceUsage: { cpuUsage: formatDecimal(sum("cpu")), memoryUsage: formatBinary(sum("memory")) },
  };
}

// --- Address ranges --------------------------------------------------------------------------------------------------------------

interface FlagSource {
  /** A pod is meant that has any of these labels. */
  readonly labels: readonly (readonly [key: string, value: string])[];
  readonly flag: string;
}

const component = (name: string): FlagSource["labels"] => [
  ["component", name],
  ["app.kubernetes.io/component", name],
];

const CLUSTER_CIDR_SOURCES: readonly FlagSource[] = [
  { labels: component("kube-controller-manager"), flag: "--cluster-cidr" },
  { labels: [["k8s-app", "kube-proxy"]], flag: "--cluster-cidr" },
];
const SERVICE_CIDR_SOURCES: readonly FlagSource[] = [
  { labels: component("kube-apiserver"), flag: "--service-cluster-ip-range" },
  { labels: component("kube-controller-manager"), flag: "--service-cluster-ip-range" },
];

function flagOf(pods: readonly Pod[], sources: readonly FlagSource[]): string | undefined {
  for (const { labels, flag } of sources) {
    for (const pod of pods.filter(({ metadata }) => labels.some(([key, value]) => metadata.labels?.[key] === value))) {
      const found = pod.spec.containers.map(({ command = [], args = [] }) => flagValue([...command, ...args], flag));
      const value = found.find((each) => each !== undefined && each !== "");
      if (value !== undefined) return value;
    }
  }
  return undefined;
}

/** `--flag=value`, `--flag value`, and both inside of one shell line. */
export function flagValue(words: readonly string[], flag: string): string | undefined {
  const flat = words.flatMap((word) => word.split(/\s+/));
  const at = flat.findIndex((word) => word === flag || word.startsWith(`${flag}=`));
  const word = flat[at];
  if (word === undefined) return undefined;
  const value = word === flag ? flat[at + 1] : word.slice(flag.length + 1);
  const bare = value?.replace(/^["']|["']$/g, "");
  return bare === undefined || bare.startsWith("--") ? undefined : bare;
}
