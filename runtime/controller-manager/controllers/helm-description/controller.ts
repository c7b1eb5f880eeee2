// Helm Description -> one HelmRelease per chart, whoever carries them out; and the releases' statuses -> the Description's.

import { Description } from "#api/apps/v1alpha1/description.ts";
import { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { normalEventReasons, warningEventReasons } from "#api/event-reasons.ts";
import { finalizers, labels } from "#api/names.ts";
import { changesBeyondStatus } from "#controller-manager/changes.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import { by } from "#controller-manager/informers.ts";
import { releasesStatus } from "#delivery/helm/release-status.ts";
import { policyPatch } from "#delivery/policy.ts";
import { createController, done, ownKey, source, type Controller, type Result } from "#kube/controller.ts";
import { isAlreadyExists } from "#kube/errors.ts";
import { removeFinalizer } from "#kube/finalizers.ts";
import { keyOf, keyTextOf } from "#kube/object.ts";
import { patchStatusIfChanged } from "#kube/write-if-changed.ts";
import { planReleases, type ReleaseAction } from "./plan.ts";

export function helmDescriptionController(deps: DeliveryDeps): Controller {
  const { descriptions, helmReleases } = deps.informers;
  return createController({
    ...deps,
    name: "helm-description",
    sources: [
      source(descriptions, (description, change) => (changesBeyondStatus(change) ? ownKey(description) : [])),
      source(helmReleases, ({ metadata }) =>
        descriptions.byIndex(by.uid, metadata.labels?.[labels.configUid] ?? "").map(keyTextOf),
      ),
    ],
    reconcile: (key, signal) => reconcileDescription(key, deps, signal),
  });
}

async function reconcileDescription(key: string, deps: DeliveryDeps, signal: AbortSignal): Promise<Result> {
  const { client, informers, clock } = deps;
  const description = informers.descriptions.get(key);
  if (description?.spec.deployer !== "Helm") return done;
  const existing = informers.helmReleases.byIndex(by.description, description.metadata.uid ?? "");
  const { actions, charts, problems } = planReleases(description, existing);
  for (const action of actions) await carryOut(description, { action, deps }, signal);
  if (description.metadata.deletionTimestamp !== undefined) {
    if (existing.length === 0) await release(description, deps, signal);
    return done;
  }
  if (problems.length > 0) {
    const reason = warningEventReasons.unequalLengths;
    deps.events.record(description, { type: "Warning", reason, message: problems.join("; ") });
  }
  const status = releasesStatus(description, { charts, problems }, clock.now());
  await patchStatusIfChanged(client, { type: Description, object: description, status }, signal);
  return done;
}

interface Planned {
  readonly action: ReleaseAction;
  readonly deps: DeliveryDeps;
}

async function carryOut(description: Description, { action, deps }: Planned, signal: AbortSignal): Promise<void> {
  const { client, events, log } = deps;
  const { type: change, release: wanted, reason } = action;
  switch (action.type) {
    case "create":
      try {
        await client.create(HelmRelease, wanted, signal);
      } catch (error) {
        // Made a moment ago and not in the cache yet. Its arrival there wakes us again, to compare.
        if (!isAlreadyExists(error)) throw error;
        return;
      }
      events.record(description, {
        type: "Normal",
        reason: normalEventReasons.helmReleasesCreated,
        message: wanted.metadata.name,
      });
      break;
    case "update": {
      const { resourceVersion, finalizers: held = [] } = action.current.metadata;
      const { labels: ours, annotations, ownerReferences } = wanted.metadata;
      const metadata = {
        resourceVersion,
        labels: ours,
        annotations,
        ownerReferences,
        finalizers: [...new Set([...held, finalizers.apps])],
      };
      // A merge patch removes only what it names.
      const gone = Object.keys(action.current.spec).filter((member) => !Object.hasOwn(wanted.spec, member));
      const delivery = policyPatch(action.current.spec.delivery, wanted.spec.delivery);
      const spec = { ...wanted.spec, ...Object.fromEntries(gone.map((member) => [member, null])), delivery };
      await client.patch(HelmRelease, keyOf(wanted), { type: "merge", body: { metadata, spec } }, signal);
      break;
    }
    case "delete": {
      const { uid } = wanted.metadata;
      await client.delete(
        HelmRelease,
        keyOf(wanted),
        { propagationPolicy: "Background", ...(uid === undefined ? {} : { uid }) },
        signal,
      );
      break;
    }
    default:
      action satisfies never;
  }
  log.info("helm-release.changed", { change, release: keyTextOf(wanted), reason });
}

/** No HelmRelease is left, as far as the cache knows; this once, ask. */
async function release(description: Description, { client, log }: DeliveryDeps, signal: AbortSignal): Promise<void> {
  const { namespace = "", uid = "" } = description.metadata;
  const { items } = await client.list(HelmRelease, { namespace, labelSelector: `${labels.configUid}=${uid}` }, signal);
  if (items.length > 0) throw new Error(`${String(items.length)} HelmReleases are still there`);
  await removeFinalizer(client, { type: Description, object: description, finalizer: finalizers.apps }, signal);
  log.info("description.released", { description: keyTextOf(description) });
}
