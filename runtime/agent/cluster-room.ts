// The room of this cluster, kept up to date by what informers tell: a question walks the nodes; the pods only when it
// is about affinity to pods.
//
// (ROOM-1) What a node's pods ask for together is the sum over the pods in the cache that are bound to it, at any time.
// (ROOM-2) Nothing is answered before every kind was listed once: an empty cache looks like an empty cluster.

import type { KubeObject, ResourceType } from "#api/meta.ts";
import { assert } from "#std/assert.ts";
import type { Node, ResourceList } from "#kube/builtin-kinds.ts";
import type { Change, Informer } from "#kube/informer.ts";
import { keyTextOf } from "#kube/object.ts";
import { knownAmountsOf, type Amounts } from "./amounts.ts";
import type { ClusterRoom, NodeRoom } from "./capacity.ts";
import type { CountedPod } from "./counted-pod.ts";
import type { PlacedPod } from "./pod-affinity.ts";
import type { Quota } from "./quota-room.ts";
import type { StorageClassFact } from "./volume-room.ts";

export interface ResourceQuota extends KubeObject {
  readonly spec?: {
    readonly hard?: ResourceList;
    readonly scopes?: readonly string[];
    readonly scopeSelector?: {
      readonly matchExpressions?: readonly { readonly scopeName: string; readonly operator: string }[];
    };
  };
  readonly status?: { readonly hard?: ResourceList; readonly used?: ResourceList };
}

export interface CsiNode extends KubeObject {
  readonly spec?: {
    readonly drivers?: readonly { readonly name: string; readonly allocatable?: { readonly count?: number } }[] | null;
  };
}

export interface StorageClass extends KubeObject {
  readonly provisioner?: string;
}

export const ResourceQuotas: ResourceType<ResourceQuota> = {
  group: "",
  version: "v1",
  kind: "ResourceQuota",
  plural: "resourcequotas",
  scope: "Namespaced",
};

const storage = { group: "storage.k8s.io", version: "v1", scope: "Cluster" } as const;
export const CsiNodes: ResourceType<CsiNode> = { ...storage, kind: "CSINode", plural: "csinodes" };
export const StorageClasses: ResourceType<StorageClass> = { ...storage, kind: "StorageClass", plural: "storageclasses" };

export interface RoomInformers {
  readonly csiNodes: Informer<CsiNode>;
  readonly storageClasses: Informer<StorageClass>;
  readonly nodes: Informer<Node>;
  readonly pods: Informer<CountedPod>;
  readonly quotas: Informer<ResourceQuota>;
}

export const QUOTAS_BY_NAMESPACE = "namespace";

interface NodeUsage {
  readonly requests: Map<string, bigint>;
  /** How many pods take a port, or mount a claim. */
  readonly ports: Map<string, number>;
  readonly claims: Map<string, number>;
  pods: number;
}

export class ClusterRoomKeeper implements Disposable {
  readonly #informers: RoomInformers;
  readonly #usage = new Map<string, NodeUsage>();
  /** Pods that keep others away, by `namespace/name`. */
  readonly #keepingAway = new Map<string, PlacedPod>();
  /** By owner. */
  readonly #placed = new Map<string, number>();
  /** Of the object that was read: a node that changes is another object. */
  readonly #read = new WeakMap<Node, Pick<NodeRoom, "labels" | "taints" | "isUnschedulable" | "allocatable">>();
  readonly #stop: () => void;

  constructor(informers: RoomInformers) {
    this.#informers = informers;
    this.#stop = informers.pods.subscribe((change) => {
      this.#onPod(change);
    });
  }

  /** Why there is no answer yet. */
  get problem(): string | undefined {
    const unread = Object.entries(this.#informers).filter(([, { synced }]: [string, Informer]) => !synced);
    return unread.length === 0 ? undefined : `Not read yet: ${unread.map(([kind]) => kind).join(", ")}`;
  }

  /** `namespace`: whose quotas count. */
  room(namespace: string | undefined): ClusterRoom {
    const { nodes, quotas, pods, storageClasses } = this.#informers;
    return {
      nodes: nodes.list().map((node) => this.#nodeRoom(node)),
      placed: {
        all: () => pods.list().values().flatMap(placedPod),
        withAntiAffinity: () => [...this.#keepingAway.values()],
      },
      storageClasses: () => storageClasses.list().map(storageClassFact),
      quotas: namespace === undefined ? [] : quotas.byIndex(QUOTAS_BY_NAMESPACE, namespace).map(quotaOf),
    };
  }

  /** How many pods of this owner (`feedKey`) have a node. */
  placed(owner: string): number {
    return this.#placed.get(owner) ?? 0;
  }

  /** Pods without a node. */
  waiting(): readonly CountedPod[] {
    return this.#informers.pods.list().filter(({ waiting }) => waiting !== undefined);
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  #nodeRoom(node: Node): NodeRoom {
    const { name } = node.metadata;
    const usage = this.#usage.get(name);
    let read = this.#read.get(node);
    if (read === undefined) {
      read = {
        labels: node.metadata.labels ?? {},
        taints: node.spec?.taints ?? [],
        isUnschedulable: node.spec?.unschedulable === true,
        allocatable: knownAmountsOf(node.status?.allocatable ?? {}),
      };
      this.#read.set(node, read);
    }
    return {
      name,
      ...read,
      used: usage?.requests ?? NOTHING,
      pods: usage?.pods ?? 0,
      ports: usage?.ports ?? NO_COUNTS,
      claims: usage?.claims ?? NO_COUNTS,
      attachable: () => attachableOf(this.#informers.csiNodes.get(name)),
    };
  }

  #onPod(change: Change<CountedPod>): void {
    if (change.type !== "added") this.#count(change.previous, -1);
    if (change.type !== "deleted") this.#count(change.object, 1);
  }

  #count(pod: CountedPod, sign: 1 | -1): void {
    const { nodeName, requests, owner } = pod;
    if (nodeName === undefined) return;
    if (sign === -1) this.#keepingAway.delete(keyTextOf(pod));
    else if (pod.antiAffinity !== undefined) for (const placed of placedPod(pod)) this.#keepingAway.set(keyTextOf(pod), placed);
    const placed = (this.#placed.get(owner) ?? 0) + sign;
    if (placed === 0) this.#placed.delete(owner);
    else this.#placed.set(owner, placed);
    const usage = this.#usage.get(nodeName) ?? emptyUsage();
    usage.pods += sign;
    assert(usage.pods >= 0, `Node ${nodeName} has ${String(usage.pods)} pods (ROOM-1)`);
    for (const [name, amount] of requests) {
      usage.requests.set(name, (usage.requests.get(name) ?? 0n) + (sign === 1 ? amount : -amount));
    }
    for (const port of pod.ports ?? []) countOne(usage.ports, port, sign);
    for (const claim of pod.claims ?? []) countOne(usage.claims, claim, sign);
    if (usage.pods === 0) this.#usage.delete(nodeName);
    else this.#usage.set(nodeName, usage);
  }
}

const NOTHING: Amounts = new Map();
const NO_COUNTS: ReadonlyMap<string, number> = new Map();

function emptyUsage(): NodeUsage {
  return { requests: new Map(), ports: new Map(), claims: new Map(), pods: 0 };
}

function countOne(counts: Map<string, number>, name: string, sign: 1 | -1): void {
  const count = (counts.get(name) ?? 0) + sign;
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
}

function placedPod({
  metadata: { namespace = "" },
  nodeName,
  labels,
  antiAffinity = [],
  waiting,
}: CountedPod): readonly PlacedPod[] {
  if (nodeName === undefined) return [];
  return [{ nodeName, namespace, labels, antiAffinity, isNominated: waiting !== undefined }];
}

function attachableOf(node: CsiNode | undefined): ReadonlyMap<string, bigint> {
  const drivers = node?.spec?.drivers ?? [];
  return new Map(
    drivers.flatMap(({ name, allocatable }) =>
      allocatable?.count === undefined ? [] : [[name, BigInt(allocatable.count)] as const],
    ),
  );
}

const DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class";

function storageClassFact({ metadata: { name, annotations = {} }, provisioner = "" }: StorageClass): StorageClassFact {
  return { name, provisioner, isDefault: annotations[DEFAULT_CLASS] === "true" };
}

function quotaOf({ spec = {}, status = {} }: ResourceQuota): Quota {
  const selected = spec.scopeSelector?.matchExpressions ?? [];
  return {
    hard: knownAmountsOf(status.hard ?? spec.hard ?? {}),
    used: knownAmountsOf(status.used ?? {}),
    // A scope with values is one that we are not told enough to judge.
    scopes: [...(spec.scopes ?? []), ...selected.map(({ scopeName, operator }) => (operator === "Exists" ? scopeName : ""))],
  };
}
