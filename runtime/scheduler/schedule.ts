// (Subscription, snapshot, plugins) -> Decision. Pure: the same input always gives the same decision.
//
// (SCH-1) Silence never unbinds: a bound cluster stays while the Subscription still selects it and its ManagedCluster is there,
//         whatever its taints, its readiness, or the number of clusters that fit.
//         A Subscription that does not know its bindings starts from the clusters that have a Base of it.
// (SCH-2) What this scheduler does not do is refused as a whole; bindings that exist stay.

import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ClusterVerdict, Decision, Verdict } from "./decision.ts";
import type { PluginInput, Plugins } from "./plugin.ts";
import type { Snapshot } from "./snapshot.ts";

export interface ScheduleInput {
  readonly snapshot: Snapshot;
  readonly plugins: Plugins;
  /** `namespace/name` of clusters that have a Base of it: its bindings, when its status says none. */
  readonly existing?: readonly string[];
}

export function schedule(subscription: Subscription, { snapshot, plugins, existing = [] }: ScheduleInput): Decision {
  const refusal = refuse(subscription);
  if (refusal !== undefined) return refusal;
  const bound = new Set(subscription.status?.bindingClusters ?? existing);
  const verdicts = [
    ...snapshot.clusters.flatMap((cluster) => {
      const verdict = judge({ subscription, cluster, snapshot }, { plugins, wasBound: bound.has(cluster.key) });
      return verdict === undefined ? [] : [{ cluster: cluster.key, verdict }];
    }),
    ...[...bound].filter((key) => snapshot.get(key) === undefined).map(gone),
  ].toSorted((a, b) => (a.cluster < b.cluster ? -1 : 1));
  const chosen = verdicts
    .filter(({ verdict }) => verdict.type === "bind" || verdict.type === "keep")
    .map(({ cluster }) => cluster);
  for (const plugin of plugins.assign) {
    const assignment = plugin.assign({ subscription, clusters: chosen, snapshot });
    if (assignment.type === "assigned") return { type: "bound", clusters: assignment.clusters, verdicts };
  }
  return unsupported("UnsupportedStrategy", `No plugin assigns for strategy ${subscription.spec.schedulingStrategy}`);
}

function refuse({ spec }: Subscription): Decision | undefined {
  if (spec.schedulingStrategy !== "Replication") {
    return unsupported(
      "UnsupportedStrategy",
      `schedulingStrategy ${spec.schedulingStrategy} is not supported yet; use Replication`,
    );
  }
  if (spec.schedulingBySubGroup === true) {
    return unsupported("UnsupportedSubGroups", "schedulingBySubGroup is not supported yet");
  }
  return undefined;
}

function unsupported(reason: Extract<Decision, { type: "refused" }>["reason"], message: string): Decision {
  return { type: "refused", reason, message };
}

/** undefined: the Subscription never asked for this cluster. */
function judge(
  input: PluginInput,
  { plugins, wasBound }: { readonly plugins: Plugins; readonly wasBound: boolean },
): Verdict | undefined {
  if (input.cluster.isDeleting) return wasBound ? { type: "unbind", reason: "the ManagedCluster is being deleted" } : undefined;
  for (const plugin of plugins.select) {
    const fit = plugin.select(input);
    if (!fit.fits) return wasBound ? { type: "unbind", reason: fit.reason } : undefined;
  }
  for (const plugin of plugins.filter) {
    const fit = plugin.filter(input);
    if (fit.fits) continue;
    return wasBound
      ? { type: "keep", reason: "stays bound", despite: fit.reason }
      : { type: "reject", plugin: plugin.name, reason: fit.reason };
  }
  return wasBound ? { type: "keep", reason: "stays bound" } : { type: "bind", reason: "selected and fits" };
}

function gone(cluster: string): ClusterVerdict {
  return { cluster, verdict: { type: "unbind", reason: "the ManagedCluster is gone" } };
}
