// Takes one object out of a cluster, or only our marks off it. Which ones, deliver.ts says (DEL-2).

import type { Description, InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import type { KubeObject, ObjectKey, ResourceType } from "#api/meta.ts";
import { annotations, createdByValues, labels } from "#api/names.ts";
import { isConflict } from "#kube/errors.ts";
import type { ChildOptions } from "./apply-object.ts";
import { ownerText } from "./names.ts";
import { isContainer } from "./plan.ts";
import { policyOf } from "./policy.ts";
import { problemOfError, type ObjectProblem } from "./problems.ts";

export type Deletion =
  | { readonly type: "gone" }
  | { readonly type: "remaining"; readonly entry: InventoryEntry }
  | { readonly type: "failed"; readonly problem: ObjectProblem };

const gone: Deletion = { type: "gone" };

type RemoveOptions = Omit<ChildOptions, "clock" | "ownerExists">;

export async function removeObject(entry: InventoryEntry, options: RemoveOptions, signal: AbortSignal): Promise<Deletion> {
  // It never was ours.
  if (entry.origin === "Skipped") return gone;
  const { child, discovery, description } = options;
  try {
    const type = await discovery.resolve(entry.apiVersion, entry.kind, signal);
    // Its kind is gone, and its objects with it.
    if (type === undefined) return gone;
    const key: ObjectKey =
      entry.namespace === undefined ? { name: entry.name } : { namespace: entry.namespace, name: entry.name };
    const live = await child.get(type, key, signal);
    const uid = live?.metadata.uid;
    if (live === undefined || uid === undefined || !isOurs(live, entry, description)) return gone;
    if (isRetained(entry, description)) return await release({ type, key, live }, options, signal);
    if (live.metadata.deletionTimestamp === undefined) {
      await child.delete(type, key, { propagationPolicy: "Background", uid }, signal);
      const after = await child.get(type, key, signal);
      if (after?.metadata.uid !== uid) return gone;
    }
    return { type: "remaining", entry };
  } catch (error) {
    if (signal.aborted) throw error;
    // Replaced or changed between the look and the delete: look again.
    if (isConflict(error)) return { type: "remaining", entry };
    return { type: "failed", problem: problemOfError(entry, error) };
  }
}

/** DEL-2: another object under the same name, or one that another Description took over, is not ours to delete. */
function isOurs(live: KubeObject, entry: InventoryEntry, description: Description): boolean {
  if (entry.uid !== undefined && entry.uid !== live.metadata.uid) return false;
  return live.metadata.annotations?.[annotations.ownedByDescription] === ownerText(description);
}

/** DEL-5: with a namespace or a definition that was there before us, everything in it would go. */
function isRetained(entry: InventoryEntry, { spec }: Description): boolean {
  return policyOf(spec).onDelete === "Retain" || (entry.origin === "Adopted" && isContainer(entry));
}

interface Found {
  readonly type: ResourceType;
  readonly key: ObjectKey;
  readonly live: KubeObject;
}

/** Without our marks nobody takes the object for delivered any more. */
async function release({ type, key, live }: Found, { child }: RemoveOptions, signal: AbortSignal): Promise<Deletion> {
  const { uid, resourceVersion } = live.metadata;
  const isLabelled = live.metadata.labels?.[labels.createdBy] === createdByValues.hub;
  const metadata = {
    uid,
    resourceVersion,
    annotations: { [annotations.ownedByDescription]: null },
    ...(isLabelled ? { labels: { [labels.createdBy]: null } } : {}),
  };
  await child.patch(type, key, { type: "merge", body: { metadata } }, signal);
  return gone;
}
