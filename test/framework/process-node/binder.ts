// Which node a pending pod goes to, where no real scheduler runs: the first one that it fits. Pure.

import type { Node, NodeSelectorTerm, Pod, Taint } from "kubernetes-types/core/v1.js";

/** kwok runs the nodes and pods that carry it; a process node leaves them alone. */
export const KWOK_ANNOTATION = "kwok.x-k8s.io/node";

/** The node's name, or undefined when the pod needs no node from us or fits none. */
export function chooseNode(pod: Pod, nodes: readonly Node[]): string | undefined {
  const { spec, metadata, status } = pod;
  const isPending = (spec?.nodeName ?? "") === "" && metadata?.deletionTimestamp === undefined && status?.phase === "Pending";
  if (!isPending || (spec?.schedulingGates ?? []).length > 0) return undefined;
  const suitable = nodes.filter((node) => matchesSelector(pod, node) && matchesAffinity(pod, node));
  const real = suitable.filter((node) => !isFake(node));
  // A fake node only says that the pod runs: it is for pods that ask for it, and for those that no real node is meant for. A real node
  // that is not ready yet is waited for.
  const wantsFake = metadata?.annotations?.[KWOK_ANNOTATION] !== undefined || real.length === 0;
  const candidates = wantsFake ? suitable.filter(isFake) : real;
  return candidates.find((node) => node.spec?.unschedulable !== true && toleratesTaints(pod, node))?.metadata?.name;
}

function isFake(node: Node): boolean {
  return node.metadata?.annotations?.[KWOK_ANNOTATION] !== undefined;
}

function matchesSelector({ spec }: Pod, { metadata }: Node): boolean {
  return Object.entries(spec?.nodeSelector ?? {}).every(([key, value]) => metadata?.labels?.[key] === value);
}

function matchesAffinity({ spec }: Pod, node: Node): boolean {
  const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return terms === undefined || terms.some((term) => matchesTerm(term, node));
}

function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, { metadata }: Node): boolean {
  const matches = (value: string | undefined, operator: string, values: readonly string[] = []): boolean => {
    switch (operator) {
      case "In":
        return value !== undefined && values.includes(value);
      case "NotIn":
        return value === undefined || !values.includes(value);
      case "Exists":
        return value !== undefined;
      case "DoesNotExist":
        return value === undefined;
      default:
        return false;
    }
  };
  return (
    matchExpressions.every(({ key, operator, values }) => matches(metadata?.labels?.[key], operator, values)) &&
    // The only field there is: the DaemonSet controller names the node with it.
    matchFields.every(({ key, operator, values }) => key === "metadata.name" && matches(metadata?.name, operator, values))
  );
}

function toleratesTaints({ spec }: Pod, node: Node): boolean {
  const taints = (node.spec?.taints ?? []).filter(({ effect }) => effect !== "PreferNoSchedule");
  return taints.every((taint) => (spec?.tolerations ?? []).some((toleration) => tolerates(toleration, taint)));
}

function tolerates(
  { key, operator = "Equal", value = "", effect }: { key?: string; operator?: string; value?: string; effect?: string },
  taint: Taint,
): boolean {
  const effectMatches = effect === undefined || effect === "" || effect === taint.effect;
  const keyMatches = key === undefined || key === "" ? operator === "Exists" : key === taint.key;
  return effectMatches && keyMatches && (operator === "Exists" || value === (taint.value ?? ""));
}
