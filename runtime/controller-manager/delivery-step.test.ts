// What the parent does about a Description (and a HelmRelease, which differs only in how one knows that something is in the child): test/golden/controllers/description.md.

import { parse } from "yaml";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { testGolden } from "#test/framework/golden.ts";
import { planDeliveryStep } from "./delivery-step.ts";

interface Story {
  readonly mode?: "Pull" | "Push" | "Dual";
  readonly pushAllowed?: boolean;
  readonly registered?: boolean;
  readonly ready?: "True" | "False" | "Unknown";
  /** Seconds since the cluster was last heard of, and since the deletion was asked for. */
  readonly silentFor?: number;
  readonly deletingFor?: number;
  readonly removed?: boolean;
  readonly forced?: boolean;
  readonly left?: boolean;
  readonly delivered?: number;
}

const NOW = Date.UTC(2030, 0, 1, 12);
const ago = (seconds: number): string => new Date(NOW - seconds * 1_000).toISOString();
const condition = (type: string, status: string, lastTransitionTime: string): never =>
  ({ type, status, reason: "R", message: "", lastTransitionTime }) as never;

testGolden("controllers/description.md", (lines) => {
  const story = parse(lines.join("\n")) as Story;
  const description: Description = {
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "Description",
    metadata: {
      namespace: "paris",
      name: "web.shop-generic",
      ...(story.deletingFor === undefined ? {} : { deletionTimestamp: ago(story.deletingFor) }),
    },
    spec: { deployer: "Generic" },
    status: {
      inventory: Array.from({ length: story.delivered ?? 1 }, (_, index) => ({
        apiVersion: "v1",
        kind: "ConfigMap",
        namespace: "shop",
        name: `c${String(index)}`,
      })),
      conditions: story.removed === true ? [condition("Removed", "True", ago(0))] : [],
    },
  };
  const cluster: ManagedCluster = {
    apiVersion: "clusters.clusternet.io/v1beta1",
    kind: "ManagedCluster",
    metadata: { namespace: "paris", name: "paris" },
    spec: { clusterId: "id", syncMode: story.mode ?? "Pull" },
    status: {
      appPusher: story.pushAllowed ?? false,
      conditions: [condition("Ready", story.ready ?? "True", ago(story.silentFor ?? 3_600))],
    },
  };
  const step = planDeliveryStep(description, {
    isInChild: (description.status?.inventory ?? []).length > 0,
    cluster: story.registered === false ? undefined : cluster,
    now: NOW,
    lostClusterGraceMs: 30_000,
    isForced: story.forced ?? false,
    isLeft: story.left ?? false,
  });
  switch (step.type) {
    case "abandon":
      return [`abandon: ${step.reason}`];
    case "wait-for-child":
      return [`wait for the child, at most ${String(step.delayMs / 1_000)} s`];
    default:
      return [step.type];
  }
});
