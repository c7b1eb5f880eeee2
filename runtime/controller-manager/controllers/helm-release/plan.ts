// What the parent does about a HelmRelease: push it, wait for the agent, say that nobody may deliver, or let it go. Pure.

import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { conditionTypes } from "#api/names.ts";
import { silenceOf, type DescriptionView } from "#controller-manager/controllers/description/plan.ts";
import { whoDelivers } from "#delivery/who-delivers.ts";
import { isConditionTrue } from "#kube/conditions.ts";

export type HelmReleaseStep =
  | { readonly type: "push" }
  | { readonly type: "wait" }
  | { readonly type: "wait-for-child"; readonly delayMs: number }
  | { readonly type: "nobody-delivers" }
  /** It is uninstalled, or was never there: nothing holds the HelmRelease any more. */
  | { readonly type: "release" }
  /** The child cannot be asked: what is there stays there, and the Event says so. */
  | { readonly type: "abandon"; readonly reason: string };

/**
 * (HRL-1) Only a HelmRelease that is being deleted, by a live instruction, is ever uninstalled or let go.
 * (HRL-2) A silent child is waited for, but not for ever: after the grace the deletion completes without it.
 */
export function planHelmReleaseStep(release: HelmRelease, view: DescriptionView): HelmReleaseStep {
  const { cluster } = view;
  const deliverer = cluster === undefined ? undefined : whoDelivers(cluster);
  if (release.metadata.deletionTimestamp === undefined) {
    if (deliverer === "controller-manager") return { type: "push" };
    return deliverer === "nobody" ? { type: "nobody-delivers" } : { type: "wait" };
  }
  if (isConditionTrue(release.status?.conditions, conditionTypes.removed)) return { type: "release" };
  if (view.isForced) return { type: "abandon", reason: "the deletion was forced" };
  if (cluster === undefined) return { type: "abandon", reason: "the cluster is no longer registered" };
  const silence = silenceOf(release, cluster, view.now);
  if (silence !== undefined) {
    const remainingMs = view.lostClusterGraceMs - silence;
    if (remainingMs > 0) return { type: "wait-for-child", delayMs: remainingMs };
    return { type: "abandon", reason: `cluster ${cluster.metadata.name} cannot be reached` };
  }
  switch (deliverer) {
    case "controller-manager":
      return { type: "push" };
    case "nobody":
      return release.status?.releasedAs === undefined
        ? { type: "release" }
        : { type: "abandon", reason: `cluster ${cluster.metadata.name} no longer lets the parent push` };
    case "agent":
    case undefined:
      return { type: "wait" };
    default:
      return deliverer satisfies never;
  }
}
