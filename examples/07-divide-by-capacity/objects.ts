// Renderers that need half a cpu each, placed where there is room. objects.yaml says the same for kubectl.

import { divideByCapacity } from "pulumi-clusternet";

const metadata = { namespace: "default", name: "render" };
const labels = { app: "render" };

/** A template is stored on the parent as a Manifest, and does nothing there. */
export const manifest = (replicas = 9) => ({
  metadata: { namespace: "clusternet-reserved", name: "deployments.default.render" },
  template: {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata,
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        // What one replica needs is what clusters are asked about.
        spec: { containers: [{ name: "render", image: "render:1", resources: { requests: { cpu: "500m" } } }] },
      },
    },
  },
});

/** Spread: a cluster's part is as large as its room. Binpack: as few clusters as it takes. */
export const subscription = (strategy: "Spread" | "Binpack" = "Spread") => ({
  metadata,
  spec: {
    ...divideByCapacity({ subscribers: [{ clusterAffinity: { matchLabels: { stage: "demo" } } }], strategy }),
    feeds: [{ apiVersion: "apps/v1", kind: "Deployment", ...metadata }],
  },
});
