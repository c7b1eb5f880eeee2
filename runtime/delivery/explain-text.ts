// An explanation as lines for people. Pure.

import type { ExplainedStep, Explanation, ValueChange } from "./explain.ts";

/** A longer value is cut; `-o json` has all of it. */
const VALUE_CHARACTERS_MAX = 100;

export function explanationText(explanation: Explanation): readonly string[] {
  const { feed, cluster, path, steps } = explanation;
  const left = steps.filter(isLeftOut);
  return [
    `${feed} in ${cluster}${path === undefined ? "" : `, ${path}`}`,
    ...(path === undefined ? [] : [`  template: ${shown(explanation, "template")}`]),
    ...steps.filter((step) => !isLeftOut(step)).flatMap((step) => stepLines(step, path)),
    ...(left.length === 0 ? [] : ["not applied:", ...left.map(leftOutLine)]),
    ...results(explanation),
  ];
}

function results(explanation: Explanation): readonly string[] {
  if (!explanation.isDelivered) return ["nothing is delivered to the cluster yet"];
  if (explanation.path === undefined) return [];
  const [delivered, next] = [shown(explanation, "delivered"), shown(explanation, "next")];
  return [`in the cluster: ${delivered}`, ...(next === delivered ? [] : [`after the next rendering: ${next}`])];
}

function isLeftOut({ outcome }: ExplainedStep): boolean {
  return outcome !== "changed" && outcome !== "unchanged";
}

function stepLines({ override, patch, type, changes }: ExplainedStep, path: string | undefined): readonly string[] {
  const head = patch === undefined ? `  ${override}` : `  ${override}, patch ${patch} (${type ?? ""})`;
  if (changes.length === 0) return [`${head}: ${path === undefined ? "changes nothing" : "does not touch it"}`];
  if (path !== undefined) return changes.map((change) => `${head}: ${arrow(change)}`);
  return [`${head}:`, ...changes.map((change) => `    ${change.path === "" ? "/" : change.path}: ${arrow(change)}`)];
}

function leftOutLine({ override, patch, type, outcome, reason = "" }: ExplainedStep): string {
  const which = patch === undefined ? override : `${override}, patch ${patch} (${type ?? ""})`;
  return `  ${which}: ${outcome}, ${reason}`;
}

function arrow(change: ValueChange): string {
  return `${shown(change, "before")} → ${shown(change, "after")}`;
}

function shown(holder: object, name: string): string {
  const value: unknown = (holder as Readonly<Record<string, unknown>>)[name];
  if (value === undefined) return "absent";
  const text = JSON.stringify(value);
  return text.length > VALUE_CHARACTERS_MAX ? `${text.slice(0, VALUE_CHARACTERS_MAX)}…` : text;
}
