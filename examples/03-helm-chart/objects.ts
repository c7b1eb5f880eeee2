// A chart, who gets it, and values for all and for one. Plain data: objects.yaml says the same for kubectl.

const chart = { namespace: "charts", name: "podinfo" };
const feed = { apiVersion: "apps.clusternet.io/v1alpha1", kind: "HelmChart", ...chart };

export const helmChart = {
  metadata: chart,
  spec: {
    repo: "oci://ghcr.io/stefanprodan/charts",
    chart: "podinfo",
    version: "6.7.1",
    targetNamespace: "podinfo",
    // A failed upgrade goes back to what worked.
    upgradeAtomic: true,
    timeoutSeconds: 120,
  },
};

export const subscription = {
  metadata: chart,
  spec: { subscribers: [{ clusterAffinity: { matchLabels: { stage: "demo" } } }], feeds: [feed] },
};

export const globalization = {
  metadata: { name: "podinfo-message" },
  spec: {
    overridePolicy: "ApplyNow" as const,
    feed,
    overrides: [{ name: "the fleet's message", type: "Helm" as const, value: "ui: { message: Hello from the fleet }" }],
  },
};

/** In the dedicated namespace of one cluster. */
export const localization = (namespace: string) => ({
  metadata: { namespace, name: "podinfo-replicas" },
  spec: {
    overridePolicy: "ApplyNow" as const,
    feed,
    overrides: [{ name: "more replicas", type: "Helm" as const, value: "replicaCount: 2" }],
  },
});
