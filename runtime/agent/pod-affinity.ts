// Required affinity and anti-affinity of a replica to other pods: which nodes kube-scheduler would consider, and how many replicas they
// take together. Pure.
//
// (AFF-1) Never more than kube-scheduler would place: what depends on its choice counts as the choice that leaves the least room, and what is
//         not understood leaves none (affinity), or is taken for a pod to keep away from (anti-affinity).
// (AFF-2) A node without the label of a topology is no place: anti-affinity does not bound it, affinity never holds there.

import type { LabelSelector } from "#api/meta.ts";
import type { PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";
import { matchesSelector } from "#kube/selector.ts";

type Labels = Readonly<Record<string, string>>;

export interface PodTerm {
  readonly labelSelector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
  readonly namespaces?: readonly string[];
  readonly topologyKey: string;
  readonly matchLabelKeys?: readonly string[];
  readonly mismatchLabelKeys?: readonly string[];
}

/** A pod that has a node. */
export interface PlacedPod {
  readonly nodeName: string;
  readonly namespace: string;
  readonly labels: Labels;
  /** It only has the promise of a node. */
  readonly isNominated: boolean;
  readonly antiAffinity: readonly PodTerm[];
}

export interface AffinityNode {
  readonly name: string;
  readonly labels: Labels;
}

export interface AffinityRules {
  /** Why no replica may run there; undefined: one may. */
  refusal(node: AffinityNode): string | undefined;
  /** How many replicas the nodes take together; `room`: by themselves. Only nodes that are not refused. */
  together(parts: readonly NodeShare[]): bigint;
}

export interface NodeShare {
  readonly node: AffinityNode;
  readonly room: bigint;
}

/** undefined: nothing of this bounds the replicas. `pods` is asked for when something does. */
export function affinityRules(
  request: Pick<PredictRequest, "affinity" | "podLabels" | "namespace">,
  { nodes, placed }: { readonly nodes: readonly AffinityNode[]; readonly placed: PlacedPods },
): AffinityRules | undefined {
  const asker = askerOf(request);
  const others = placed.withAntiAffinity();
  if (asker.affinity.length + asker.antiAffinity.length + others.length === 0) return undefined;
  const nodesByName = new Map(nodes.map((node) => [node.name, node]));
  const blocked = [
    ...blockedByOwn(asker, { placed, nodesByName }),
    ...others.flatMap((pod) => blockedBy(pod, { asker, nodesByName })),
  ];
  const closed = new Map(
    Map.groupBy(blocked, ({ key }) => key)
      .entries()
      .map(([key, all]) => [key, new Set(all.map(({ value }) => value))]),
  );
  const near = nearOf(asker, { placed, nodesByName });
  const apart = asker.antiAffinity.filter((term) => meetsItself(term, asker)).map(({ topologyKey }) => topologyKey);
  return {
    refusal: ({ labels }) => {
      for (const [key, values] of closed) {
        const value = own(labels, key);
        if (value !== undefined && values.has(value)) return "pod anti-affinity";
      }
      return near.allows(labels) ? undefined : near.reason;
    },
    together: (parts) => {
      const groups = near.isOpen
        ? groupsBy(
            parts,
            asker.affinity.map(({ topologyKey }) => topologyKey),
          )
        : [parts];
      const counts = groups.filter(hasRoom).map((group) => spread(group, apart));
      return counts.length === 0 ? 0n : counts.reduce((least, count) => (count < least ? count : least));
    },
  };
}

/** What runs, as far as affinity is concerned. */
export interface PlacedPods {
  all(): Iterable<PlacedPod>;
  withAntiAffinity(): readonly PlacedPod[];
}

interface Asker {
  readonly namespace: string | undefined;
  readonly labels: Labels | undefined;
  readonly affinity: readonly PodTerm[];
  readonly antiAffinity: readonly PodTerm[];
}

function askerOf({ affinity, podLabels, namespace }: Pick<PredictRequest, "affinity" | "podLabels" | "namespace">): Asker {
  return {
    namespace: namespace ?? undefined,
    labels: podLabels ?? undefined,
    affinity: affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [],
    antiAffinity: affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [],
  };
}

interface World {
  readonly placed: PlacedPods;
  readonly nodesByName: ReadonlyMap<string, AffinityNode>;
}

interface Place {
  readonly key: string;
  readonly value: string;
}

function placeOf({ topologyKey }: PodTerm, nodeName: string, nodes: ReadonlyMap<string, AffinityNode>): readonly Place[] {
  const value = own(nodes.get(nodeName)?.labels ?? {}, topologyKey);
  return value === undefined ? [] : [{ key: topologyKey, value }];
}

/** Places with a pod that the replica keeps away from. */
function blockedByOwn({ antiAffinity, namespace, labels }: Asker, { placed, nodesByName }: World): readonly Place[] {
  if (antiAffinity.length === 0) return [];
  const terms = antiAffinity.map((term) => ({ term, selector: selectorOf(term, labels) }));
  const places: Place[] = [];
  for (const pod of placed.all()) {
    for (const { term, selector } of terms) {
      if (mayBeMeant(term, { namespace: pod.namespace, home: namespace }) && matchesSelector(selector, pod.labels))
        places.push(...placeOf(term, pod.nodeName, nodesByName));
    }
  }
  return places;
}

/**
 * Places of a pod that keeps away from the replica. Whose labels nobody says is met by a pod that keeps away from others than its like; most
 * keep away from their like only.
 */
function blockedBy(
  { antiAffinity, namespace, labels: theirs, nodeName }: PlacedPod,
  { asker, nodesByName }: { readonly asker: Asker; readonly nodesByName: World["nodesByName"] },
): readonly Place[] {
  return antiAffinity.flatMap((term) => {
    if (!mayBeMeant(term, { namespace: asker.namespace, home: namespace })) return [];
    const selector = selectorOf(term, theirs);
    const isMet = asker.labels === undefined ? !matchesSelector(selector, theirs) : matchesSelector(selector, asker.labels);
    return isMet ? placeOf(term, nodeName, nodesByName) : [];
  });
}

interface Near {
  allows(labels: Labels): boolean;
  /** Why not where it does not allow it. */
  readonly reason: string;
  /** Nobody is there yet: the first replica chooses the place of all others. */
  readonly isOpen: boolean;
}

const POD_AFFINITY = "pod affinity";
const everywhere: Near = { allows: () => true, reason: "", isOpen: false };
const nowhere: Near = { allows: () => false, reason: POD_AFFINITY, isOpen: false };
const notUnderstood: Near = {
  ...nowhere,
  reason: "pod affinity that is not counted here: by labels of namespaces, or by a label that nobody says",
};

function nearOf(asker: Asker, { placed, nodesByName }: World): Near {
  const { affinity, namespace, labels } = asker;
  if (affinity.length === 0) return everywhere;
  if (namespace === undefined || !affinity.every((term) => isUnderstood(term, labels))) return notUnderstood;
  const terms = affinity.map((term) => ({ term, selector: selectorOf(term, labels) }));
  const isMeant = (pod: { readonly namespace: string; readonly labels: Labels }): boolean =>
    terms.every(
      ({ term, selector }) => namespacesOf(term, namespace).has(pod.namespace) && matchesSelector(selector, pod.labels),
    );
  const places = new Map(affinity.map(({ topologyKey }) => [topologyKey, new Set<string>()]));
  let isAnywhere = false;
  for (const pod of placed.all()) {
    // As kube-scheduler: such a pod counts only when it meets every term.
    if (pod.isNominated || !isMeant(pod)) continue;
    isAnywhere = true;
    for (const { term } of terms)
      for (const { key, value } of placeOf(term, pod.nodeName, nodesByName)) places.get(key)?.add(value);
  }
  if (isAnywhere)
    return {
      ...everywhere,
      reason: POD_AFFINITY,
      allows: (node) => [...places].every(([key, values]) => values.has(own(node, key) ?? "")),
    };
  if (labels === undefined || !isMeant({ namespace, labels })) return nowhere;
  return {
    isOpen: true,
    reason: POD_AFFINITY,
    allows: (node) => [...places.keys()].every((key) => own(node, key) !== undefined),
  };
}

/** Whom it means cannot be said without the labels of namespaces, or without a label that only the pod itself gets. */
function isUnderstood({ namespaceSelector, matchLabelKeys = [], mismatchLabelKeys = [] }: PodTerm, labels: Labels = {}): boolean {
  if (namespaceSelector !== undefined) return false;
  return [...matchLabelKeys, ...mismatchLabelKeys].every((key) => own(labels, key) !== undefined);
}

/** With what the API server adds to a pod's own selector; a label that is not known is not compared: more pods are meant then. */
function selectorOf(
  { labelSelector, matchLabelKeys = [], mismatchLabelKeys = [] }: PodTerm,
  labels: Labels = {},
): LabelSelector | undefined {
  if (labelSelector === undefined) return undefined;
  const added = (keys: readonly string[], operator: "In" | "NotIn"): NonNullable<LabelSelector["matchExpressions"]> =>
    keys.flatMap((key) => {
      const value = own(labels, key);
      return value === undefined ? [] : [{ key, operator, values: [value] }];
    });
  const { matchExpressions = [] } = labelSelector;
  return {
    ...labelSelector,
    matchExpressions: [...matchExpressions, ...added(matchLabelKeys, "In"), ...added(mismatchLabelKeys, "NotIn")],
  };
}

function namespacesOf({ namespaces = [] }: PodTerm, home: string): ReadonlySet<string> {
  return new Set(namespaces.length === 0 ? [home] : namespaces);
}

/** Of anti-affinity: labels of namespaces are not read, so a selector of them may mean any. */
function mayBeMeant(
  term: PodTerm,
  { namespace, home }: { readonly namespace: string | undefined; readonly home: string | undefined },
): boolean {
  if (term.namespaceSelector !== undefined || namespace === undefined || home === undefined) return true;
  return namespacesOf(term, home).has(namespace);
}

/** Whose labels nobody says keeps away from its like. */
function meetsItself(term: PodTerm, { labels, namespace }: Asker): boolean {
  if (labels === undefined) return true;
  return mayBeMeant(term, { namespace, home: namespace }) && matchesSelector(selectorOf(term, labels), labels);
}

/** Nodes that are in one place by every key. */
function groupsBy(parts: readonly NodeShare[], keys: readonly string[]): readonly (readonly NodeShare[])[] {
  const groups = Map.groupBy(parts, ({ node }) => JSON.stringify(keys.map((key) => own(node.labels, key))));
  return [...groups.values()];
}

function hasRoom(parts: readonly NodeShare[]): boolean {
  return parts.some(({ room }) => room > 0n);
}

/** One replica for each place, by every key. */
function spread(parts: readonly NodeShare[], keys: readonly string[]): bigint {
  const [coarsest, ...finer] =
    coarsestFirst(
      parts.filter(({ room }) => room > 0n),
      [...new Set(keys)],
    ) ?? [];
  if (coarsest === undefined) {
    const sum = parts.reduce((total, { room }) => total + room, 0n);
    // Places that cross each other: how many go together depends on who is chosen first.
    return keys.length === 0 ? sum : sum > 0n ? 1n : 0n;
  }
  const places = Map.groupBy(parts, ({ node }) => own(node.labels, coarsest));
  const { unlabelled = [], count } = placesWithRoom(places);
  return count + (unlabelled.length === 0 ? 0n : spread(unlabelled, finer));
}

function placesWithRoom(places: ReadonlyMap<string | undefined, readonly NodeShare[]>): {
  readonly unlabelled?: readonly NodeShare[];
  readonly count: bigint;
} {
  const unlabelled = places.get(undefined);
  const count = [...places].filter(([place, nodes]) => place !== undefined && hasRoom(nodes)).length;
  return { count: BigInt(count), ...(unlabelled === undefined ? {} : { unlabelled }) };
}

/** undefined: places of one key cross those of another. */
function coarsestFirst(parts: readonly NodeShare[], keys: readonly string[]): readonly string[] | undefined {
  const sizes = new Map(keys.map((key) => [key, new Set(parts.map(({ node }) => own(node.labels, key))).size]));
  const sorted = keys.toSorted((a, b) => (sizes.get(a) ?? 0) - (sizes.get(b) ?? 0));
  const isNested = sorted.every((key, index) => {
    const coarser = sorted[index - 1];
    return coarser === undefined || lieWithin(parts, { key, coarser });
  });
  return isNested ? sorted : undefined;
}

function lieWithin(parts: readonly NodeShare[], { key, coarser }: { readonly key: string; readonly coarser: string }): boolean {
  const outer = new Map<string, string | undefined>();
  return parts.every(({ node: { labels } }) => {
    const [inside, outside] = [own(labels, key), own(labels, coarser)];
    if (inside === undefined) return true;
    if (outer.has(inside)) return outer.get(inside) === outside;
    outer.set(inside, outside);
    return true;
  });
}

/** A label may be called "constructor". */
function own(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
