// Two templates and two Subscriptions with different policies: settings that nobody in a cluster may change, and a volume that outlives
// whoever asked for it. Plain data: objects.yaml says the same for kubectl.

const inShop = (name: string) => ({ namespace: "shop", name });

const template = (plural: string, object: { metadata: { namespace: string; name: string } } & Record<string, unknown>) => ({
  metadata: {
    namespace: "clusternet-reserved",
    name: `${plural}.${object.metadata.namespace}.${object.metadata.name}`,
  },
  template: object,
});

export const manifests = [
  template("configmaps", { apiVersion: "v1", kind: "ConfigMap", metadata: inShop("settings"), data: { colour: "blue" } }),
  template("persistentvolumeclaims", {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: inShop("orders"),
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  }),
];

const everywhere = [{ clusterAffinity: { matchLabels: { stage: "demo" } } }];

export const subscriptions = [
  {
    metadata: inShop("settings"),
    spec: {
      subscribers: everywhere,
      feeds: [{ apiVersion: "v1", kind: "ConfigMap", ...inShop("settings") }],
      delivery: {
        // Edits and deletions in a cluster are put back; Report would only set condition Drifted.
        drift: "Correct" as const,
        // What is there already and was not delivered is a conflict that somebody has to decide.
        adoption: "Fail" as const,
        // A change that would delete more than a fifth asks first.
        maxDeletePercent: 20,
      },
    },
  },
  {
    metadata: inShop("orders"),
    spec: {
      subscribers: everywhere,
      feeds: [{ apiVersion: "v1", kind: "PersistentVolumeClaim", ...inShop("orders") }],
      delivery: {
        drift: "Report" as const,
        // Whoever grows the volume in its cluster is right.
        ignoreFields: [{ kind: "PersistentVolumeClaim", paths: ["/spec/resources/requests/storage"] }],
        // The data stay when the Subscription goes.
        onDelete: "Retain" as const,
      },
    },
  },
];
