// What came of a run of helm -> HelmRelease.status, and of all releases -> Description.status. Pure.

import type { Description, ManifestStatus } from "#api/apps/v1alpha1/description.ts";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { conditionTypes } from "#api/names.ts";
import { setCondition } from "#kube/conditions.ts";
import { shortList } from "#std/short-list.ts";
import type { HelmState } from "./helm-session.ts";
import { releaseHash, type Phase } from "./release-plan.ts";

type Status = NonNullable<HelmRelease["status"]>;

/** A status is read by people; the whole notes are in the cluster. */
const NOTES_CHARS_MAX = 8_192;

/** Why a release is not as its HelmRelease says; also the reason of its condition. */
export type ReleaseReason =
  "ChartUnavailable" | "HelmFailed" | "HelmUnavailable" | "ReleaseConflict" | "ClusterUnreachable" | "NobodyDelivers" | "Stopped";

export interface ReleaseFailure {
  readonly reason: ReleaseReason;
  readonly message: string;
}

export interface Released {
  readonly state: HelmState;
  readonly chartVersion: string;
}

export function startedStatus(release: HelmRelease, phase: Phase, releasedAs: string): Status {
  return { phase, description: "", releasedAs, observedGeneration: release.metadata.generation ?? 0 };
}

export function releasedStatus(release: HelmRelease, { state, chartVersion }: Released, now: number): Status {
  const message = state.description ?? "";
  return {
    ...stateMembers(state),
    phase: state.status,
    description: message,
    chartVersion,
    releasedHash: releaseHash(release),
    observedGeneration: release.metadata.generation ?? 0,
    conditions: conditions(release, { status: "True", reason: "Released", message }, now),
  };
}

/** `state`: what helm has now, as far as it could be asked. */
export function failedStatus(
  release: HelmRelease,
  { failure, state }: { readonly failure: ReleaseFailure; readonly state: HelmState | undefined },
  now: number,
): Status {
  const { reason, message } = failure;
  return {
    ...(state === undefined ? {} : stateMembers(state)),
    phase: "failed",
    description: message,
    // Whatever is in the cluster, it is not what the spec says.
    releasedHash: "",
    observedGeneration: release.metadata.generation ?? 0,
    conditions: conditions(release, { status: "False", reason, message }, now),
  };
}

/** `isRetained`: its policy leaves it in the cluster. */
export function removedStatus(
  release: HelmRelease,
  { failure, isRetained }: { readonly failure: ReleaseFailure | undefined; readonly isRetained: boolean },
  now: number,
): Status {
  const removed = isRetained
    ? "The release stays in the cluster: spec.delivery.onDelete is Retain"
    : "The release is uninstalled";
  const condition = {
    type: conditionTypes.removed,
    status: failure === undefined ? "True" : "False",
    reason: failure?.reason ?? (isRetained ? "Retained" : "Removed"),
    message: failure?.message ?? removed,
    observedGeneration: release.metadata.generation ?? 0,
  } as const;
  const set = setCondition(release.status?.conditions, condition, now);
  return {
    ...(isRetained ? {} : { phase: failure === undefined ? "uninstalled" : "uninstalling" }),
    description: condition.message,
    conditions: set,
  };
}

function stateMembers({ revision, firstDeployed, lastDeployed, notes }: HelmState): Status {
  return {
    version: revision,
    ...(firstDeployed === undefined ? {} : { firstDeployed }),
    ...(lastDeployed === undefined ? {} : { lastDeployed }),
    ...(notes === undefined ? {} : { notes: notes.slice(0, NOTES_CHARS_MAX) }),
  };
}

function conditions(
  release: HelmRelease,
  { status, reason, message }: { readonly status: "True" | "False"; readonly reason: string; readonly message: string },
  now: number,
): NonNullable<Status["conditions"]> {
  const observedGeneration = release.metadata.generation ?? 0;
  return setCondition(
    release.status?.conditions,
    { type: conditionTypes.applied, status, reason, message, observedGeneration },
    now,
  );
}

/** Of several releases the one that needs attention most speaks for the Description. */
const ATTENTION: readonly Phase[] = [
  "failed",
  "unknown",
  "uninstalled",
  "uninstalling",
  "pending-rollback",
  "pending-upgrade",
  "pending-install",
  "superseded",
  "deployed",
];

type DescriptionPhase = NonNullable<NonNullable<Description["status"]>["phase"]>;

const DESCRIPTION_PHASES: Readonly<Record<Phase, DescriptionPhase>> = {
  deployed: "Success",
  "pending-install": "Installing",
  "pending-upgrade": "Upgrading",
  "pending-rollback": "Upgrading",
  uninstalling: "Uninstalling",
  uninstalled: "Uninstalling",
  superseded: "Superseded",
  failed: "Failure",
  unknown: "Unknown",
};

/** A message lists this many releases at most. */
const PROBLEMS_SHOWN_MAX = 5;

/** A chart of a Description and its HelmRelease as it is; undefined: it is not made yet, or being replaced. */
export interface ChartRelease {
  readonly chart: { readonly namespace: string; readonly name: string };
  readonly release: HelmRelease | undefined;
}

export interface ReleasesView {
  readonly charts: readonly ChartRelease[];
  /** What is wrong with the Description itself. */
  readonly problems: readonly string[];
}

export function releasesStatus(
  description: Description,
  { charts, problems }: ReleasesView,
  now: number,
): NonNullable<Description["status"]> {
  const observedGeneration = description.metadata.generation ?? 0;
  const phases = charts.map(({ release }) => (release === undefined ? undefined : phaseOf(release)));
  const failed = charts.filter((_chart, index) => phases[index] === "failed");
  const messages = [
    ...problems,
    ...failed.map(
      ({ chart, release }) => `HelmChart ${chart.namespace}/${chart.name}: ${release?.status?.description ?? "failed"}`,
    ),
  ];
  const reason = shortList(messages, PROBLEMS_SHOWN_MAX).join("; ");
  const phase = messages.length > 0 ? "Failure" : descriptionPhase(phases);
  const isDone = phase === "Success";
  return {
    phase,
    reason,
    observedGeneration,
    manifestStatuses: charts.flatMap((each) => (each.release === undefined ? [] : [chartStatus(each.chart, each.release)])),
    conditions: setCondition(
      description.status?.conditions,
      {
        type: conditionTypes.applied,
        status: isDone ? "True" : "False",
        reason: isDone ? "Applied" : messages.length > 0 ? "ApplyFailed" : "Progressing",
        message: isDone ? `${String(charts.length)} charts are released` : messages.length > 0 ? reason : "waiting for helm",
        observedGeneration,
      },
      now,
    ),
  };
}

function descriptionPhase(phases: readonly (Phase | undefined)[]): DescriptionPhase {
  if (phases.includes(undefined)) return "Installing";
  const worst = ATTENTION.find((phase) => phases.includes(phase));
  return worst === undefined ? "Success" : DESCRIPTION_PHASES[worst];
}

/** A release as the status of its chart, so that a feed of kind HelmChart has an availability like any other. */
function chartStatus(chart: ChartRelease["chart"], release: HelmRelease): ManifestStatus {
  const { phase, version, description, chartVersion } = release.status ?? {};
  return {
    apiVersion: HelmChart.apiVersion,
    kind: HelmChart.kind,
    ...chart,
    available: phaseOf(release) === "deployed",
    observedStatus: {
      ...(phase === undefined ? {} : { phase }),
      ...(version === undefined ? {} : { version }),
      ...(description === undefined ? {} : { description }),
      ...(chartVersion === undefined ? {} : { chartVersion }),
    },
  };
}

/** The phase of the newest spec; undefined: not looked at yet. */
function phaseOf({ metadata, status }: HelmRelease): Phase | undefined {
  return status?.observedGeneration === metadata.generation ? status?.phase : undefined;
}
