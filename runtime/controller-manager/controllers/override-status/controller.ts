// Bases' reports -> the status of the overrides they speak about, batched: many clusters report, one write follows.

import type { Base } from "#api/apps/v1alpha1/base.ts";
import { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import { Localization } from "#api/apps/v1alpha1/localization.ts";
import { changesBeyondStatus, changesLabels } from "#controller-manager/changes.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import { basesNaming, by, referenceKeys } from "#controller-manager/informers.ts";
import { overrideText, type Override } from "#delivery/overrides.ts";
import { after, createController, done, source, type Controller, type Result } from "#kube/controller.ts";
import { matchesSelector } from "#kube/selector.ts";
import { patchStatusIfChanged } from "#kube/write-if-changed.ts";
import { deepEqual } from "#std/canonical-json.ts";
import { overrideStatus, type Place } from "./plan.ts";

/** An override's status is written at most this often: it may speak about a thousand clusters. */
const WRITE_INTERVAL_MS = 500;

/** Keys are `Globalization web` and `Localization paris/web`, as Bases name them. */
export function overrideStatusController(deps: DeliveryDeps): Controller {
  const { client, informers, clock } = deps;
  const { bases, globalizations, localizations, managedClusters } = informers;
  const writtenAt = new Map<string, number>();

  async function reconcile(key: string, signal: AbortSignal): Promise<Result> {
    const override = find(key);
    if (override === undefined || override.metadata.deletionTimestamp !== undefined) {
      writtenAt.delete(key);
      return done;
    }
    const waitMs = (writtenAt.get(key) ?? -WRITE_INTERVAL_MS) + WRITE_INTERVAL_MS - clock.monotonic();
    if (waitMs > 0) return after(waitMs);
    const status = overrideStatus(override, placesOf(override), clock.now());
    const type = override.kind === Globalization.kind ? Globalization : Localization;
    const written = await patchStatusIfChanged<Override>(client, { type, object: override, status }, signal);
    if (written !== override) writtenAt.set(key, clock.monotonic());
    return done;
  }

  function find(key: string): Override | undefined {
    const [kind, name = ""] = key.split(" ");
    return kind === Globalization.kind ? globalizations.get(name) : localizations.get(name);
  }

  function placesOf(override: Override): readonly Place[] {
    return basesNaming(override.spec.feed, bases).flatMap((base) => {
      const { namespace = "", deletionTimestamp } = base.metadata;
      const clusters = managedClusters.byIndex(by.namespace, namespace);
      return deletionTimestamp === undefined && isMeant(override, namespace, clusters)
        ? [{ base, cluster: clusters[0]?.metadata.name ?? namespace }]
        : [];
    });
  }

  /** Those it reports about, and those that wait to be reported about. */
  function overridesOf({ spec, status, metadata: { namespace = "" } }: Base): readonly string[] {
    const waiting = spec.feeds.flatMap(referenceKeys).flatMap((key) => globalizations.byIndex(by.feed, key));
    return [
      ...(status?.overrides ?? []).map(({ override }) => override),
      ...[...waiting, ...localizations.byIndex(by.namespace, namespace)].map(overrideText),
    ];
  }

  return createController({
    ...deps,
    name: "override-status",
    sources: [
      source(globalizations, (override, change) => (changesBeyondStatus(change) ? [overrideText(override)] : [])),
      source(localizations, (override, change) => (changesBeyondStatus(change) ? [overrideText(override)] : [])),
      source(bases, (base, change) =>
        change.type === "updated" &&
        deepEqual(change.object.status?.overrides, change.previous.status?.overrides) &&
        !changesBeyondStatus(change)
          ? []
          : overridesOf(base),
      ),
      source(managedClusters, (_cluster, change) =>
        changesLabels(change)
          ? globalizations.list().flatMap((each) => (each.spec.clusterAffinity === undefined ? [] : [overrideText(each)]))
          : [],
      ),
    ],
    reconcile,
  });
}

function isMeant(
  override: Override,
  namespace: string,
  clusters: readonly { readonly metadata: { readonly labels?: Readonly<Record<string, string>> } }[],
): boolean {
  if (override.kind === Localization.kind) return override.metadata.namespace === namespace;
  const { clusterAffinity } = override.spec as Globalization["spec"];
  return clusterAffinity === undefined || clusters.some(({ metadata }) => matchesSelector(clusterAffinity, metadata.labels));
}
