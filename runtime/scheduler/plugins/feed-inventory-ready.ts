// preFilter: what shall be divided is known, for the feeds as they are now. Pure.

import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import type { DividingReason } from "#scheduler/divide/reasons.ts";
import type { Plugin } from "#scheduler/plugin.ts";
import { deepEqual } from "#std/canonical-json.ts";

export const feedInventoryReady: Plugin = {
  name: "FeedInventoryReady",
  preFilter: ({ subscription: { spec, metadata }, needs }) => {
    if (spec.schedulingStrategy !== "Dividing" || spec.feeds.length === 0) return { type: "ok" };
    const name = `FeedInventory ${metadata.namespace ?? ""}/${metadata.name}`;
    const wait = (reason: DividingReason, message: string) => ({ type: "wait", reason, message }) as const;
    if (needs.length === 0) return wait("InventoryMissing", `There is no ${name} yet, which says how many replicas to divide`);
    const isCurrent = deepEqual(
      needs.map(({ feed }) => feed),
      spec.feeds.map(feedKey),
    );
    return isCurrent ? { type: "ok" } : wait("InventoryStale", `${name} is not about the feeds as they are now`);
  },
};
