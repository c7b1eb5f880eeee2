// A delivered Description stays so (keep-as-delivered.ts): its objects are compared one by one and applied again.

import { Description, type InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import type { Result } from "#kube/controller.ts";
import { applyObject } from "./apply-object.ts";
import { findDrift, type DriftOptions } from "./drift-check.ts";
import { keepAsDelivered, type KeepDeps } from "./keep-as-delivered.ts";

export type KeepOptions = DriftOptions & KeepDeps;

export function keepDescribed(options: KeepOptions, signal: AbortSignal): Promise<Result> {
  const { description } = options;
  let inventory: readonly InventoryEntry[] = description.status?.inventory ?? [];
  return keepAsDelivered(
    {
      type: Description,
      object: description,
      find: async (each) => {
        const found = await findDrift(options, each);
        ({ inventory } = found);
        return found;
      },
      putBack: ({ wanted, entry, rules }, each) => applyObject({ object: wanted, entry, rules }, options, each),
      statusWith: (corrected) => {
        const entries = new Map(corrected.map((entry) => [feedKey(entry), entry]));
        return { inventory: inventory.map((entry) => entries.get(feedKey(entry)) ?? entry) };
      },
    },
    options,
    signal,
  );
}
