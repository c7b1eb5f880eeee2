// A ConfigMap in one of the clusters, which moves to another one when that cluster does not work. objects.yaml says the same for kubectl.

const metadata = { namespace: "default", name: "leader" };

/** A template is stored on the parent as a Manifest, and does nothing there. */
export const manifest = {
  metadata: { namespace: "clusternet-reserved", name: "configmaps.default.leader" },
  template: { apiVersion: "v1", kind: "ConfigMap", metadata, data: { runs: "in one cluster at a time\n" } },
};

export const subscription = (afterRecovery: "Stay" | "MoveBack" = "Stay") => ({
  metadata,
  spec: {
    // One of the clusters that match: the others are spare.
    schedulingBySubGroup: true,
    subscribers: [{ clusterAffinity: { matchLabels: { stage: "demo" } }, subGroupStrategy: { minClusters: 1 } }],
    feeds: [{ apiVersion: "v1", kind: "ConfigMap", ...metadata }],
    failover: {
      enabled: true,
      // Short, to see it happen: without it five minutes.
      tolerationSeconds: 5,
      // The old copy is unbound when the new one is Available.
      eviction: "Graceful" as const,
      afterRecovery,
    },
  },
});
