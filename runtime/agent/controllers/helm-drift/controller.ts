// What charts installed in this cluster is watched and kept so, in every sync mode; in Push what differs is only said, and the parent puts
// it back.

import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import type { InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import type { KubeObject } from "#api/meta.ts";
import { kindKey, WatchedKinds, type Marked } from "#agent/controllers/feed-status/watched-kinds.ts";
import type { HelmReleaseDeps } from "#agent/controllers/helm-release/controller.ts";
import { AppliedMemory } from "#delivery/applied-memory.ts";
import { CorrectionBackoff } from "#delivery/correction-backoff.ts";
import { keepReleased } from "#delivery/helm/keep-released.ts";
import { releaseKeyOf, releaseKeyText } from "#delivery/helm/release-plan.ts";
import { childIdentityOf } from "#delivery/identity.ts";
import { entryOf } from "#delivery/plan.ts";
import { whoDelivers } from "#delivery/who-delivers.ts";
import { createController, done, source, type Controller, type Result } from "#kube/controller.ts";
import { createDiscovery } from "#kube/discovery.ts";
import type { Change } from "#kube/informer.ts";
import { keyTextOf } from "#kube/object.ts";

export type HelmDriftDeps = Omit<HelmReleaseDeps, "helmTools">;

/** helm marks all that it installs; only who is marked matters here, what the objects say is read when one changes. */
const markedByHelm: Marked = {
  labelSelector: "app.kubernetes.io/managed-by=Helm",
  ownerOf: ({ metadata: { annotations = {} } }) => {
    const { "meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace } = annotations;
    return name === undefined || namespace === undefined ? undefined : releaseKeyText({ namespace, name });
  },
  trim: ({ apiVersion, kind, metadata }) => ({ apiVersion, kind, metadata }),
};

export function helmDriftController(deps: HelmDriftDeps): Controller {
  const { child, clock, log, informers } = deps;
  const { helmReleases, managedClusters } = informers;
  const discovery = createDiscovery({ client: child, clock });
  const watched = new WatchedKinds({ child, discovery, clock, log, marked: markedByHelm });
  const memory = new AppliedMemory();
  const backoff = new CorrectionBackoff();
  /** Of which something changed, in the cluster or on the parent: the others are not looked at. */
  const suspects = new Set<string>();
  const kinds = createKindsInUse(watched);

  function suspect(release: HelmRelease): string {
    suspects.add(keyTextOf(release));
    return keyTextOf(release);
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<Result> {
    const release = helmReleases.get(key);
    if (release === undefined || release.metadata.deletionTimestamp !== undefined) {
      suspects.delete(key);
      await kinds.note(key, [], signal);
      return done;
    }
    const [cluster] = managedClusters.list();
    if (cluster === undefined || !suspects.delete(key)) return done;
    try {
      const result = await keepReleased(
        {
          ...deps,
          release,
          child: deps.childAs(childIdentityOf({ spec: { deployer: "Helm" } })),
          discovery,
          memory,
          backoff,
          isDeliverer: whoDelivers(cluster) === "agent",
          log: log.with({ release: key }),
          onObjects: (objects) => kinds.note(key, objects, signal),
        },
        signal,
      );
      if (result.type !== "done") suspects.add(key);
      return result;
    } catch (error) {
      suspects.add(key);
      throw error;
    }
  }

  const controller = createController({
    ...deps,
    name: "helm-drift",
    sources: [source(helmReleases, (release, change) => (isReleasedAnew(change) ? [suspect(release)] : []))],
    reconcile,
  });
  return {
    ...controller,
    run: async (signal) => {
      kinds.run(signal);
      const unsubscribe = watched.subscribe((owner, { isBeyondStatus }) => {
        if (!isBeyondStatus) return;
        for (const release of helmReleases.list().filter((each) => releaseKeyText(releaseKeyOf(each)) === owner))
          controller.enqueue(suspect(release));
      });
      try {
        await controller.run(signal);
      } finally {
        unsubscribe();
        await watched.stop();
      }
    },
  };
}

interface KindsInUse {
  /** Until then watches end with the signal that they are noted with. */
  run(signal: AbortSignal): void;
  /** What one release consists of now. */
  note(key: string, objects: readonly KubeObject[], signal: AbortSignal): Promise<void>;
}

/** Watches the kinds of all releases, and no others. */
function createKindsInUse(watched: WatchedKinds): KindsInUse {
  const kindsOf = new Map<string, readonly InventoryEntry[]>();
  let running: AbortSignal | undefined;
  return {
    run: (signal) => {
      running = signal;
    },
    note: async (key, objects, signal) => {
      if (objects.length === 0 && !kindsOf.delete(key)) return;
      if (objects.length > 0) kindsOf.set(key, objects.map(entryOf));
      await watched.keepOnly(new Map([...kindsOf.values()].flat().map((entry) => [kindKey(entry), entry])), running ?? signal);
    },
  };
}

/** Another spec, policy or revision to compare with. Its own condition is none. */
function isReleasedAnew(change: Change<HelmRelease>): boolean {
  if (change.type !== "updated") return true;
  const { metadata, status = {} } = change.object;
  const before = change.previous;
  return (
    metadata.generation !== before.metadata.generation ||
    metadata.deletionTimestamp !== before.metadata.deletionTimestamp ||
    status.version !== before.status?.version ||
    status.releasedHash !== before.status?.releasedHash ||
    status.phase !== before.status?.phase
  );
}
