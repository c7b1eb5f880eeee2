// The controllers that deliver to this cluster and report from it, on one watch of what was delivered.

import { descriptionController, type DescriptionDeps } from "#agent/controllers/description/controller.ts";
import { feedStatusController } from "#agent/controllers/feed-status/controller.ts";
import { WatchedKinds } from "#agent/controllers/feed-status/watched-kinds.ts";
import { helmDriftController } from "#agent/controllers/helm-drift/controller.ts";
import { helmReleaseController, type HelmReleaseDeps } from "#agent/controllers/helm-release/controller.ts";
import type { Controller } from "#kube/controller.ts";
import { createDiscovery } from "#kube/discovery.ts";
import { seeingOwnWrites } from "#kube/own-writes.ts";

export function deliveryControllers(deps: Omit<DescriptionDeps, "watched">): readonly Controller[] {
  const { child, clock, log } = deps;
  const watched = new WatchedKinds({ child, discovery: createDiscovery({ client: child, clock }), clock, log });
  // Both write to the same status.
  const { client: parent, informer: descriptions } = seeingOwnWrites({
    client: deps.parent,
    informer: deps.informers.descriptions,
  });
  const shared = { ...deps, parent, informers: { ...deps.informers, descriptions }, watched };
  return [descriptionController(shared), feedStatusController(shared)];
}

/** The same for charts. */
export function chartControllers(deps: HelmReleaseDeps): readonly Controller[] {
  return [helmReleaseController(deps), helmDriftController(deps)];
}
