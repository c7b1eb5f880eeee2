// What a release installed stays so (keep-as-delivered.ts). A release that was upgraded, rolled back or uninstalled by hand is released
// anew by whoever delivers.

import { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { warningEventReasons } from "#api/event-reasons.ts";
import type { KubeObject } from "#api/meta.ts";
import { done, type Result } from "#kube/controller.ts";
import { patchStatusIfChanged } from "#kube/write-if-changed.ts";
import { driftText, type Drifted } from "#delivery/drift.ts";
import { keepAsDelivered, type Correction, type DriftSearch, type KeepDeps } from "#delivery/keep-as-delivered.ts";
import { policyOf } from "#delivery/policy.ts";
import { findReleaseDrift, putBack, releaseObjects, type ReleaseDriftOptions } from "./release-drift.ts";
import { isReleased, releaseKeyOf } from "./release-plan.ts";

export interface KeepReleasedOptions extends ReleaseDriftOptions, KeepDeps {
  /** Told what the release consists of, before it is compared. */
  onObjects?(objects: readonly KubeObject[]): Promise<void>;
}

/** Nothing while helm has work to do: then the cluster is not as the record says, and need not be. */
export async function keepReleased(options: KeepReleasedOptions, signal: AbortSignal): Promise<Result> {
  const { release } = options;
  const { drift } = policyOf(release.spec);
  if (!isReleased(release) || drift === "Off") return done;
  const objects = await releaseObjects(options, signal);
  if (objects === undefined) return releaseAnew(options, signal);
  await options.onObjects?.(objects);
  return keepAsDelivered(
    {
      type: HelmRelease,
      object: release,
      find: (each) => findReleaseDrift(objects, options, each),
      putBack: (drifted, each) => putBack(drifted, options, each),
    },
    options,
    signal,
  );
}

/** Its revision is not in force: forgotten, so that whoever delivers runs helm again; with drift Report it is only said. */
async function releaseAnew(options: KeepReleasedOptions, signal: AbortSignal): Promise<Result> {
  const { release, parent, events } = options;
  const { namespace, name } = releaseKeyOf(release);
  const object = { apiVersion: HelmRelease.apiVersion, kind: HelmRelease.kind, namespace, name };
  const drifted: readonly Drifted[] = [{ object, how: "replaced", by: "somebody who ran helm", fields: [] }];
  if (policyOf(release.spec).drift === "Correct") {
    const message = `${driftText(drifted)}; revision ${String(release.status?.version ?? 0)} is released anew`;
    events.record(release, { type: "Warning", reason: warningEventReasons.drifted, message });
    await patchStatusIfChanged(parent, { type: HelmRelease, object: release, status: { releasedHash: "" } }, signal);
    return done;
  }
  const find = (): Promise<DriftSearch<Drifted>> => Promise.resolve({ drifted, problems: [] });
  // Never called: who only reports puts nothing back.
  const leave = (): Promise<Correction> => Promise.resolve({});
  return keepAsDelivered({ type: HelmRelease, object: release, find, putBack: leave }, options, signal);
}
