// A placement as lines for people. Pure.

import { shortList } from "#std/short-list.ts";
import type { CapacityAnswer } from "./capacity.ts";
import type { ClusterPlacement, Placement } from "./explain-placement.ts";

/** `-o json` has all of them. */
const CLUSTERS_SHOWN_MAX = 100;
const CHANGES_SHOWN_MAX = 100;

export function placementText(placement: Placement): readonly string[] {
  const { subscription, schedulerName, strategy, clusters, divisions, condition } = placement;
  const { status, reason, message } = condition;
  const shown = clusters.slice(0, CLUSTERS_SHOWN_MAX);
  return [
    `Subscription ${subscription}: ${strategy}, scheduler ${schedulerName}`,
    ...shown.flatMap((cluster) => clusterLines(cluster, placement)),
    ...(clusters.length > shown.length ? [`  ${counted(clusters.length - shown.length, "more cluster")}`] : []),
    ...(placement.notSelected === 0 ? [] : [`  not selected: ${counted(placement.notSelected, "cluster")}`]),
    ...divisions.map(({ feed, placed, desired, shortfall }) => {
      const missing = shortfall === undefined ? "" : `: ${shortfall}`;
      return `divided ${feed}: ${String(placed)} of ${counted(desired, "replica")}${missing}`;
    }),
    ...changeLines(placement),
    ...hintLines(placement),
    ...preemptionLines(placement),
    `Scheduled=${status} ${reason}: ${message}`,
  ];
}

function changeLines({ outcome, changes, about }: Placement): readonly string[] {
  if (outcome !== "bound") return ["bindings stay as they are"];
  if (changes.length === 0) return [about === undefined ? "nothing changes" : `nothing changes for ${about}`];
  const texts = changes.map(({ text }) => text);
  return ["what changes:", ...shortList(texts, CHANGES_SHOWN_MAX).map((text) => `  ${text}`)];
}

function preemptionLines({ preemption: { waits, lost = [] } = {} }: Placement): readonly string[] {
  const taken = lost.map(
    ({ cluster, feed, replicas, by }) => `preempted: ${by} took ${counted(replicas, "replica")} of ${feed} in ${cluster}`,
  );
  return [...(waits === undefined ? [] : [`the scheduler has asked others for room: ${waits}`]), ...taken];
}

function clusterLines(placement: ClusterPlacement, { outcome }: Placement): readonly string[] {
  const { cluster, score, scores = {}, replicas = [], capacity = {} } = placement;
  const parts = Object.entries(scores)
    .filter(([, points]) => points !== 0)
    .map(([plugin, points]) => `${plugin} ${rounded(points)}`);
  return [
    `  ${cluster}: ${verdictText(placement, outcome)}`,
    ...(score === undefined ? [] : [`    score ${rounded(score)}${parts.length === 0 ? "" : ` = ${parts.join(" + ")}`}`]),
    ...replicas.map(({ feed, replicas: now, previous, reason }) => {
      const before = now === previous ? "as before" : `${String(previous)} before`;
      return `    ${feed}: ${counted(now, "replica")}, ${before}${reason === undefined ? "" : `: ${reason}`}`;
    }),
    ...Object.entries(capacity).map(([feed, answer]) => `    ${feed}: ${capacityText(answer)}`),
  ];
}

function verdictText({ verdict, notSelected, wasBound }: ClusterPlacement, outcome: Placement["outcome"]): string {
  if (verdict === undefined) {
    if (notSelected !== undefined) return `not selected, ${notSelected.plugin}: ${notSelected.reason}`;
    if (outcome !== "bound") return wasBound ? "stays bound: nothing was decided" : "not bound: nothing was decided";
    return "not selected";
  }
  switch (verdict.type) {
    case "bind":
      return `gets bound: ${verdict.reason}`;
    case "keep":
      return verdict.despite === undefined ? "stays bound" : `stays bound, although ${verdict.despite}`;
    case "unbind":
      return `is unbound: ${verdict.reason}`;
    case "reject":
      return `not bound, ${verdict.plugin}: ${verdict.reason}`;
    default:
      return verdict satisfies never;
  }
}

function capacityText(answer: CapacityAnswer): string {
  if (answer.type === "silent") return `capacity unknown: ${answer.reason}`;
  const { replicas, unfit = {} } = answer;
  const reasons = Object.entries(unfit).map(([reason, nodes]) => `${counted(nodes, "node")}: ${reason}`);
  return `could take ${String(replicas)} more${reasons.length === 0 ? "" : ` (${reasons.join(", ")})`}`;
}

/** Each was decided once more, so that it is no guess. */
function hintLines({ hints = [] }: Placement): readonly string[] {
  if (hints.length === 0) return [];
  return ["what would change that:", ...hints.map((hint) => `  if ${hint.if}: ${hint.then.join("; ")}`)];
}

function counted(count: number, noun: string): string {
  return `${String(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Scores are compared, not calculated with: two places are enough. */
function rounded(points: number): string {
  return String(Math.round(points * 100) / 100);
}
