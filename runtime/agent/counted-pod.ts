// What is kept of each pod in the cluster for counting: where it is, what it asks for, what it keeps away, and, while it has no node, whose it is. Pure.

import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import type { Affinity } from "#api/core-types.ts";
import type { KubeObject, ResourceType } from "#api/meta.ts";
import { podRequests } from "#delivery/replica-requirements.ts";
import type { JsonObject } from "#delivery/json.ts";
import { Pod } from "#kube/builtin-kinds.ts";
import { schedulerUnits, type Amounts } from "./amounts.ts";
import { portKeysOf } from "./host-ports.ts";
import type { PodTerm } from "./pod-affinity.ts";

export interface CountedPod extends KubeObject {
  /** Bound to it, or about to be. Absent: nowhere yet. */
  readonly nodeName?: string;
  readonly requests: Amounts;
  /** Key (`feedKey`) of the object that made the pod, as people know it: a Deployment, not its ReplicaSet. */
  readonly owner: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Required terms of its anti-affinity; absent: none. */
  readonly antiAffinity?: readonly PodTerm[];
  /** Ports of its node that it takes (`portKeysOf`); absent: none. */
  readonly ports?: readonly string[];
  /** PersistentVolumeClaims that it mounts, as `namespace/name`; absent: none. */
  readonly claims?: readonly string[];
  /** No node was found yet; why, as kube-scheduler says ("": it has not said). */
  readonly waiting?: string;
}

/** Pods that are over have given back what they asked for: the API server does not even send them. */
export const RUNNING_PODS = "status.phase!=Succeeded,status.phase!=Failed";

/** As the informer sees it: what it gets is a Pod, what it keeps is this. */
export const CountedPods = { ...Pod } as unknown as ResourceType<CountedPod>;

const MESSAGE_LENGTH_MAX = 256;
const TEMPLATE_HASH = "pod-template-hash";
const REPLICA_SET = "ReplicaSet";

/** Most pods ask for what others ask for: equal values are kept once. Bounded; beyond it every pod has its own. */
const SHARED_MAX = 10_000;

export function createPodCounter(): (received: KubeObject) => CountedPod {
  const shared = new Map<string, Amounts>();
  const owners = new Map<string, string>();
  const labels = new Map<string, Labels>();
  return (received) => {
    const { apiVersion, kind, metadata, spec, status } = received as Pod & {
      readonly status?: { readonly nominatedNodeName?: string };
    };
    const { name, namespace, uid, resourceVersion } = metadata;
    // A nominated pod waits for others to go: kube-scheduler gives its room to nobody less important.
    const nodeName = spec.nodeName ?? status?.nominatedNodeName;
    return {
      apiVersion,
      kind,
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
      requests: requestsOf(spec, shared),
      ...(nodeName === undefined || nodeName === "" ? {} : { nodeName }),
      owner: keptOnce(ownerOf(metadata), owners),
      labels: keptLabels(metadata.labels ?? {}, labels),
      ...placeOf(metadata, spec),
      ...(spec.nodeName === undefined || spec.nodeName === "" ? { waiting: messageOf(status) } : {}),
    };
  };
}

function requestsOf(spec: JsonObject, shared: Map<string, Amounts>): Amounts {
  const amounts = [...podRequests(spec)].map(([name, nano]) => [name, schedulerUnits(name, nano)] as const);
  const key = amounts.map(([name, amount]) => `${name}=${String(amount)}`).join();
  const known = shared.get(key);
  if (known !== undefined) return known;
  const made = new Map(amounts);
  if (shared.size < SHARED_MAX) shared.set(key, made);
  return made;
}

type Labels = CountedPod["labels"];

function keptLabels(labels: Labels, known: Map<string, Labels>): Labels {
  const key = JSON.stringify(labels);
  const same = known.get(key);
  if (same !== undefined) return same;
  if (known.size < SHARED_MAX) known.set(key, labels);
  return labels;
}

function placeOf(
  { namespace = "", name }: Pod["metadata"],
  spec: Pod["spec"] & JsonObject,
): Pick<CountedPod, "antiAffinity" | "ports" | "claims"> {
  const ports = portKeysOf(spec);
  const claims = claimsOf(spec, name).map((claim) => `${namespace}/${claim}`);
  const antiAffinity = antiAffinityOf(spec);
  return {
    ...(antiAffinity.length === 0 ? {} : { antiAffinity }),
    ...(ports.length === 0 ? {} : { ports }),
    ...(claims.length === 0 ? {} : { claims }),
  };
}

function antiAffinityOf({ affinity }: JsonObject): readonly PodTerm[] {
  const required = (affinity as Affinity | undefined)?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required ?? [];
}

/** A volume that is made for the pod has a claim of the pod's and its own name. */
function claimsOf({ volumes }: JsonObject, podName: string): readonly string[] {
  if (!Array.isArray(volumes)) return [];
  return (volumes as readonly PodVolume[]).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim !== undefined) return [persistentVolumeClaim.claimName];
    return ephemeral === undefined ? [] : [`${podName}-${name}`];
  });
}

interface PodVolume {
  readonly name: string;
  readonly persistentVolumeClaim?: { readonly claimName: string };
  readonly ephemeral?: unknown;
}

function messageOf(status: Pod["status"]): string {
  return (status?.conditions?.find(({ type }) => type === "PodScheduled")?.message ?? "").slice(0, MESSAGE_LENGTH_MAX);
}

function ownerOf({ namespace, name: podName, ownerReferences = [], labels = {} }: Pod["metadata"]): string {
  const controller = ownerReferences.find((each) => each.controller === true);
  const place = namespace === undefined ? {} : { namespace };
  if (controller === undefined) return feedKey({ apiVersion: "v1", kind: "Pod", ...place, name: podName });
  const { apiVersion, kind, name } = controller;
  const suffix = `-${labels[TEMPLATE_HASH] ?? ""}`;
  const isOfDeployment = kind === REPLICA_SET && suffix.length > 1 && name.endsWith(suffix);
  const owner = isOfDeployment ? { kind: "Deployment", name: name.slice(0, -suffix.length) } : { kind, name };
  return feedKey({ apiVersion, ...place, ...owner });
}

function keptOnce(text: string, known: Map<string, string>): string {
  const same = known.get(text);
  if (same !== undefined) return same;
  if (known.size < SHARED_MAX) known.set(text, text);
  return text;
}
