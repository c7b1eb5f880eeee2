// A parent and n children as a user has them: real control planes, and everything of ours put there by the same `pulumi up` that a user types.

import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { startCluster, type Cluster, type ClusterOptions } from "#test/framework/cluster.ts";
import { createPulumi, type Pulumi } from "#test/framework/pulumi.ts";

export interface Clusters extends AsyncDisposable {
  readonly parent: Cluster;
  /** In order: child-1, child-2, … */
  readonly children: readonly Cluster[];
  /** Holds parent.kubeconfig, child-1.kubeconfig, … */
  readonly directory: string;
}

export interface ClustersOptions {
  readonly children: number;
  /** Where the kubeconfigs go. */
  readonly directory: string;
  readonly cluster?: ClusterOptions;
}

/** Starts all at the same time, with nothing of ours in them. */
export async function startClusters(
  { children, directory, cluster = {} }: ClustersOptions,
  signal?: AbortSignal,
): Promise<Clusters> {
  await mkdir(directory, { recursive: true });
  const names = ["parent", ...Array.from({ length: children }, (_, index) => `child-${String(index + 1)}`)];
  await using stack = new AsyncDisposableStack();
  const starting = names.map((name) => startCluster({ ...cluster, name }, signal));
  const settled = await Promise.allSettled(starting);
  const clusters = settled.flatMap((result) => (result.status === "fulfilled" ? [stack.use(result.value)] : []));
  for (const result of settled) if (result.status === "rejected") throw result.reason;
  for (const { controlPlane } of clusters) {
    await copyFile(controlPlane.adminKubeconfig, join(directory, `${controlPlane.name}.kubeconfig`));
  }
  const [parent, ...others] = clusters;
  if (parent === undefined) throw new Error("Bug: no parent");
  const owned = stack.move();
  return { parent, children: others, directory, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** An ordinary user may not listen on 443. */
const HUB_SERVICE_PORT = 8443;

/** The first example's program, configured for these clusters; nothing is deployed yet. */
export async function openFirstFleet(
  clusters: Pick<Clusters, "directory" | "children">,
  options: { readonly stateDirectory?: string; readonly report?: (line: string) => void } = {},
  signal?: AbortSignal,
): Promise<Pulumi> {
  const pulumi = await createPulumi(
    {
      directory: join(import.meta.dirname, "..", "..", "examples", "01-first-fleet"),
      config: {
        kubeconfigs: clusters.directory,
        children: clusters.children.map(({ controlPlane }) => controlPlane.name).join(","),
        hubServicePort: String(HUB_SERVICE_PORT),
      },
      ...options,
    },
    signal,
  );
  await pulumi.setConfig("bootstrapSecret", randomBytes(16).toString("hex"), { secret: true });
  return pulumi;
}
