// The agents of the delivery bench: the delivery controllers of the real agent, once per child, in a process of their own.

import { deliveryControllers } from "#agent/controllers/delivery.ts";
import { Description } from "#api/apps/v1alpha1/description.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { conditionTypes, eventComponents } from "#api/names.ts";
import { createClient, type Client } from "#kube/client.ts";
import { rfc3339 } from "#kube/conditions.ts";
import { connect, connectKubeconfig } from "#kube/connection.ts";
import { createEventRecorder } from "#kube/events.ts";
import { createInformer } from "#kube/informer.ts";
import { runManager } from "#kube/manager.ts";
import { realClock } from "#std/clock.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";

export interface AgentsConfig {
  readonly kubeconfig: string;
  readonly children: readonly { readonly name: string; readonly server: string }[];
}

/** As the real agent's default. */
const HEARTBEAT_SECONDS = 180;

const { kubeconfig, children } = JSON.parse(process.argv[2] ?? "{}") as AgentsConfig;
const { signal } = new AbortController();
const parents = await Promise.all(
  children.map(async ({ name, server }) => {
    const parent = createClient(await connectKubeconfig({ path: kubeconfig }), { component: "agent" });
    const child = createClient(connect({ server }), { component: "agent" });
    const shared = { clock: realClock, log: silentLogger, metrics: createMetrics() };
    const informers = {
      descriptions: createInformer(parent, Description, { ...shared, namespace: name }),
      managedClusters: createInformer(parent, ManagedCluster, { ...shared, namespace: name }),
    };
    const events = createEventRecorder({ client: parent, component: eventComponents.agent, clock: realClock });
    const controllers = deliveryControllers({ ...shared, parent, child, childAs: () => child, informers, events });
    void runManager({ ...shared, informers: Object.values(informers), controllers }, signal);
    await Promise.all(Object.values(informers).map((informer) => informer.whenSynced(signal)));
    await sayReady(parent, name);
    return { parent, name };
  }),
);
process.send?.("ready");
process.on("disconnect", () => {
  process.exit();
});
// A long bench would find its children silent otherwise, and bind nothing more to them.
for (;;) {
  await realClock.sleep(HEARTBEAT_SECONDS * 1_000, signal);
  for (const { parent, name } of parents) await sayReady(parent, name).catch(() => undefined);
}

async function sayReady(parent: Client, name: string): Promise<void> {
  const now = Date.now();
  const status = {
    lastObservedTime: new Date(now).toISOString(),
    heartbeatFrequencySeconds: HEARTBEAT_SECONDS,
    appPusher: false,
    conditions: [
      {
        type: conditionTypes.ready,
        status: "True",
        reason: "ManagedClusterReady",
        message: "",
        lastTransitionTime: rfc3339(now),
      },
    ],
  };
  await parent.patch(
    ManagedCluster,
    { namespace: name, name },
    { type: "merge", body: { status }, subresource: "status" },
    signal,
  );
}
