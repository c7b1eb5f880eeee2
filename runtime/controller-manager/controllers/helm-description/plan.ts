// Which HelmReleases a Helm Description needs: made, changed and deleted one by one. Pure.
//
// (HDE-1) A HelmRelease is deleted only when its Description is, or when a readable Description no longer names its chart.
// (HDE-2) A policy that was changed together with the deletion is handed on first: it may say that the releases stay.

import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { describedReleases } from "#delivery/helm/describe-releases.ts";
import type { ChartRelease } from "#delivery/helm/release-status.ts";
import { withPolicy } from "#delivery/policy.ts";
import { deepEqual } from "#std/canonical-json.ts";

export type ReleaseAction =
  | { readonly type: "create"; readonly release: HelmRelease; readonly reason: string }
  | { readonly type: "update"; readonly release: HelmRelease; readonly current: HelmRelease; readonly reason: string }
  | { readonly type: "delete"; readonly release: HelmRelease; readonly reason: string };

export interface ReleasesPlan {
  readonly actions: readonly ReleaseAction[];
  /** What the Description asks for, as it is now. */
  readonly charts: readonly ChartRelease[];
  /** What is wrong with the Description itself. */
  readonly problems: readonly string[];
}

/** `existing`: the HelmReleases that were made from this Description. */
export function planReleases(description: Description, existing: readonly HelmRelease[]): ReleasesPlan {
  if (description.metadata.deletionTimestamp !== undefined) {
    const actions = existing.filter(isThere).map(removal(description, "its Description is being deleted"));
    return { actions, charts: [], problems: [] };
  }
  const { releases, problems } = describedReleases(description);
  const wanted = new Set(releases.map(({ release }) => release.metadata.name));
  const currentOf = (release: HelmRelease): HelmRelease | undefined =>
    existing.find(({ metadata }) => metadata.name === release.metadata.name);
  const obsolete = problems.length > 0 ? [] : existing.filter(({ metadata }) => !wanted.has(metadata.name)).filter(isThere);
  return {
    actions: [
      ...releases.flatMap(({ release }) => planOne(release, currentOf(release))),
      ...obsolete.map(removal(description, "its chart is not named any more")),
    ],
    charts: releases.map(({ chart, release }) => ({ chart, release: currentOf(release) })),
    problems,
  };
}

function planOne(release: HelmRelease, current: HelmRelease | undefined): readonly ReleaseAction[] {
  if (current === undefined) return [{ type: "create", release, reason: "the Description has none for this chart" }];
  // One that is going away is made again when it is gone.
  if (!isThere(current)) return [];
  const isSame =
    deepEqual(current.spec, release.spec) &&
    includes(current.metadata.labels, release.metadata.labels) &&
    includes(current.metadata.annotations, release.metadata.annotations);
  return isSame ? [] : [{ type: "update", release, current, reason: "chart, values or options changed" }];
}

function includes(all: Readonly<Record<string, string>> = {}, some: Readonly<Record<string, string>> = {}): boolean {
  return Object.entries(some).every(([key, value]) => all[key] === value);
}

function isThere({ metadata }: HelmRelease): boolean {
  return metadata.deletionTimestamp === undefined;
}

function removal({ spec: { delivery } }: Description, reason: string): (release: HelmRelease) => ReleaseAction {
  return (current) => {
    if (deepEqual(current.spec.delivery, delivery)) return { type: "delete", release: current, reason };
    const { delivery: _before, ...rest } = current.spec;
    const release = { ...current, spec: { ...rest, ...withPolicy(delivery) } };
    return { type: "update", release, current, reason: "delivery policy changed" };
  };
}
