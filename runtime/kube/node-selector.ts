// Node selectors and required node affinity: does a node match? Pure, and as kube-scheduler reads them.

import { holdsFor } from "./selector.ts";

interface Requirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";
  readonly values?: readonly string[];
}

interface Term {
  readonly matchExpressions?: readonly Requirement[];
  readonly matchFields?: readonly Requirement[];
}

export interface SelectedNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export function matchesNodeSelector(selector: Readonly<Record<string, string>>, { labels }: SelectedNode): boolean {
  return Object.entries(selector).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}

/** Terms are alternatives; no term, or an empty one, matches no node. */
export function matchesNodeTerms(terms: readonly Term[], node: SelectedNode): boolean {
  return terms.some(({ matchExpressions = [], matchFields = [] }) => {
    if (matchExpressions.length + matchFields.length === 0) return false;
    return (
      matchExpressions.every((each) => holds(each, Object.hasOwn(node.labels, each.key) ? node.labels[each.key] : undefined)) &&
      // Nodes are found by this one field.
      matchFields.every((each) => each.key === "metadata.name" && holds(each, node.name))
    );
  });
}

const INTEGER = /^[+-]?\d+$/;

/** What label selectors know, and two comparisons that only nodes have. */
function holds({ operator, values = [] }: Requirement, value: string | undefined): boolean {
  if (operator !== "Gt" && operator !== "Lt") return holdsFor(value, operator, values);
  const [bound] = values;
  if (value === undefined || bound === undefined || !INTEGER.test(value) || !INTEGER.test(bound)) return false;
  return operator === "Gt" ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
}
