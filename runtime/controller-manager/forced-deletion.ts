// Whether somebody asked not to wait for a cluster: the annotation on the object itself, or on its Subscription. Pure.

import type { KubeObject } from "#api/meta.ts";
import { annotations } from "#api/names.ts";
import type { Change } from "#kube/informer.ts";

export function isForced({ metadata }: KubeObject): boolean {
  return metadata.annotations?.[annotations.forceDeletion] === "true";
}

export function changesForce(change: Change<KubeObject>): boolean {
  return change.type === "updated" && isForced(change.object) !== isForced(change.previous);
}
