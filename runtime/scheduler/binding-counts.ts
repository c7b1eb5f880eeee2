// How many Subscriptions are bound to each cluster, kept up with every change of one.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { Change } from "#kube/informer.ts";
import type { Bindings } from "./plugin.ts";

export class BindingCounts implements Bindings {
  readonly #counts = new Map<string, number>();

  of(cluster: string): number {
    return this.#counts.get(cluster) ?? 0;
  }

  onChange(change: Change<Subscription>): void {
    const before = change.type === "added" ? [] : (change.previous.status?.bindingClusters ?? []);
    const now = change.type === "deleted" ? [] : (change.object.status?.bindingClusters ?? []);
    if (before === now) return;
    for (const cluster of before) this.#add(cluster, -1);
    for (const cluster of now) this.#add(cluster, 1);
  }

  #add(cluster: string, difference: number): void {
    const count = this.of(cluster) + difference;
    if (count > 0) this.#counts.set(cluster, count);
    else this.#counts.delete(cluster);
  }
}
