// Six replicas for two clusters, two to one, and a ConfigMap that each of them gets whole. objects.yaml says the same for kubectl.

import { divideByWeight } from "pulumi-clusternet";

const metadata = { namespace: "default", name: "queue" };
const labels = { app: "queue" };

export const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { workers: "per replica: 4\n" } };

export const deployment = (replicas = 6) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata,
  spec: {
    replicas,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: "queue", image: "queue:1" }] } },
  },
});

/** A template is stored on the parent as a Manifest, and does nothing there. */
export const manifestOf = ({ kind, ...rest }: { kind: string; apiVersion: string; metadata: typeof metadata }) => ({
  metadata: { namespace: "clusternet-reserved", name: `${kind.toLowerCase()}s.${metadata.namespace}.${metadata.name}` },
  template: { kind, ...rest },
});

/** `weights`: name of a ManagedCluster -> its part. */
export const subscription = (weights: Readonly<Record<string, number>> = { "child-1": 2, "child-2": 1 }) => ({
  metadata,
  spec: {
    ...divideByWeight({
      subscribers: Object.entries(weights).map(([name, weight]) => ({
        clusterAffinity: { matchLabels: { stage: "demo", "clusters.clusternet.io/cluster-name": name } },
        weight,
      })),
    }),
    feeds: [
      { apiVersion: "v1", kind: "ConfigMap", ...metadata },
      { apiVersion: "apps/v1", kind: "Deployment", ...metadata },
    ],
  },
});
