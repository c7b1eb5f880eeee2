// The demo's proof that a cluster of Cluster API joins by itself. The demo plays Cluster API: it writes what its controllers would.

import { readFile } from "node:fs/promises";
import { stringify } from "yaml";
import { eventually } from "#test/framework/eventually.ts";
import { clusterApiCrd } from "#tools/cluster-api-crds.ts";
import { logOf, type DemoContext } from "./context.ts";
import { answers, reportOf } from "./fleet-steps.ts";
import { atHop, type Step } from "./steps.ts";

export const joinsByItself: Step<DemoContext> = {
  name: "a control plane that no program names, known only as a Cluster API Cluster, joined by itself and got the Subscription",
  run: async (context, signal) => {
    const { parent, stranger, clusters } = context;
    await atHop("Cluster API's definitions", async () => parent.run(["apply", "--server-side", "-f", await clusterApiCrd()]));
    const isServed = (): Promise<string> => parent.run(["get", "clusters.cluster.x-k8s.io", "--all-namespaces"]);
    await eventually("the parent serves Clusters", isServed, { intervalMs: 250, signal });
    const kubeconfig = await readFile(stranger.cluster.controlPlane.adminKubeconfig, "utf8");
    await parent.run(["apply", "-f", "-"], { input: clusterApiObjects(stranger.name, kubeconfig) });
    const before = await stranger.kubectl.run(["get", "namespaces", "-o", "name"]);
    if (before.includes("clusternet")) throw new Error("Something was installed before the control plane was ready");
    const ready = { status: { initialization: { controlPlaneInitialized: true } } };
    await parent.run([
      "patch",
      `clusters.cluster.x-k8s.io/${stranger.name}`,
      "--subresource=status",
      "--type=merge",
      "-p",
      JSON.stringify(ready),
    ]);
    const report = await atHop(
      "The Cluster API integration",
      () => reportOf(context, stranger, signal),
      logOf(clusters.parent, "cluster-api-integration"),
    );
    await answers(stranger, { replicas: 1, greeting: "Hello from the fleet" }, signal);
    return `${report}; its label stage=demo brought it the shop`;
  },
};

function clusterApiObjects(name: string, kubeconfig: string): string {
  const secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: `${name}-kubeconfig`, namespace: "default" },
    type: "cluster.x-k8s.io/secret",
    stringData: { value: kubeconfig },
  };
  const cluster = {
    apiVersion: "cluster.x-k8s.io/v1beta2",
    kind: "Cluster",
    metadata: { name, namespace: "default", labels: { stage: "demo" } },
    spec: { controlPlaneEndpoint: { host: "127.0.0.1", port: 6443 } },
  };
  return [secret, cluster].map((object) => stringify(object)).join("---\n");
}
