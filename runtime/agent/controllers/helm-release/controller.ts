// HelmRelease -> release in this cluster (pull), and its removal; in push mode it leaves everything to the parent.

import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import type { DescriptionDeps } from "#agent/controllers/description/controller.ts";
import { createReleaseRunner, RELEASE_RECONCILE_MS_MAX } from "#delivery/helm/carry-out-release.ts";
import { readAccess } from "#delivery/helm/charts/access.ts";
import type { LazyHelmTools } from "#delivery/helm/helm-tools.ts";
import { childIdentityOf } from "#delivery/identity.ts";
import { whoDelivers } from "#delivery/who-delivers.ts";
import { createController, done, ownKey, source, type Controller } from "#kube/controller.ts";
import type { Informer } from "#kube/informer.ts";
import { keyTextOf } from "#kube/object.ts";

export interface HelmReleaseDeps extends Omit<DescriptionDeps, "informers" | "watched"> {
  readonly informers: Pick<DescriptionDeps["informers"], "managedClusters"> & {
    /** Those of the dedicated namespace on the parent. */
    readonly helmReleases: Informer<HelmRelease>;
  };
  readonly helmTools: LazyHelmTools;
}

/** Each is a process of some 100 MB. */
const RUNS_AT_A_TIME = 2;

export function helmReleaseController(deps: HelmReleaseDeps): Controller {
  const { parent, informers, events, clock } = deps;
  const { helmReleases, managedClusters } = informers;
  const runner = createReleaseRunner();
  return createController({
    ...deps,
    name: "helm-release",
    concurrency: RUNS_AT_A_TIME,
    reconcileMsMax: RELEASE_RECONCILE_MS_MAX,
    sources: [
      source(helmReleases, ownKey),
      source(managedClusters, (_cluster, change) =>
        change.type === "updated" && whoDelivers(change.object) === whoDelivers(change.previous)
          ? []
          : helmReleases.list().map(keyTextOf),
      ),
    ],
    reconcile: async (key, signal) => {
      const release = helmReleases.get(key);
      if (release === undefined) runner.forget(key);
      const [cluster] = managedClusters.list();
      if (release === undefined || cluster === undefined || whoDelivers(cluster) !== "agent") return done;
      const child = deps.childAs(childIdentityOf({ spec: { deployer: "Helm" } }));
      const tools = await deps.helmTools.get();
      return runner.carryOut(
        release,
        {
          ...tools,
          parent,
          child,
          accessOf: ({ spec }, each) => readAccess(spec, { parent }, each),
          others: () => helmReleases.list(),
          events,
          clock,
          log: deps.log.with({ release: key }),
        },
        signal,
      );
    },
  });
}
