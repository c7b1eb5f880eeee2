// What the demo's steps share: the clusters, the program, and a kubectl for each.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "#test/framework/cluster.ts";
import type { Clusters } from "#test/framework/fleet.ts";
import type { Pulumi } from "#test/framework/pulumi.ts";
import type { Kubectl } from "#tools/kubectl.ts";

export interface Child {
  readonly name: string;
  readonly cluster: Cluster;
  /** As its administrator, straight to it. */
  readonly kubectl: Kubectl;
}

export interface DemoContext {
  readonly clusters: Clusters;
  /** As the administrator of the parent. */
  readonly parent: Kubectl;
  readonly children: readonly [Child, Child];
  /** Known to no program: it joins through Cluster API. */
  readonly stranger: Child;
  readonly pulumi: Pulumi;
  /** What was in each cluster before anything of ours was. */
  readonly before: Map<string, ReadonlySet<string>>;
}

export const SYSTEM = "clusternet-system";

/** Where to look when a component does not do what it should. */
export function logOf(cluster: Cluster, component: string): string {
  const directory = join(cluster.controlPlane.directory, "logs");
  const names = readdirSync(directory).filter((name) => name.includes(`clusternet-${component}-`));
  return join(directory, names.at(-1) ?? "");
}

export async function podOf(kubectl: Kubectl, component: string): Promise<string> {
  const selector = `app.kubernetes.io/name=clusternet-${component}`;
  const name = await kubectl.run(["get", "pods", "-n", SYSTEM, "-l", selector, "-o", "jsonpath={.items[0].metadata.name}"]);
  if (name === "") throw new Error(`There is no pod of ${component}`);
  return name;
}

const RESOURCES_SHOWN = "deployments,services,configmaps";

/** Uids of what was delivered: the same as long as nothing was deleted and made again. */
export async function deliveredUids(kubectl: Kubectl): Promise<string> {
  const path = "jsonpath={range .items[*]}{.kind}={.metadata.uid}{' '}{end}";
  return kubectl.run(["get", RESOURCES_SHOWN, "-n", "default", "-l", "app=shop", "-o", path]);
}
