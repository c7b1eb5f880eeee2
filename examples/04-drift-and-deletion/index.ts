// Drift and deletion by policy, on a fleet that is there (01-first-fleet makes one).

import { readFileSync } from "node:fs";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as clusternet from "pulumi-clusternet";
import { manifests, subscriptions } from "./objects.ts";

const config = new pulumi.Config();
const kubeconfig = readFileSync(`${config.require("kubeconfigs")}/parent.kubeconfig`, "utf8");
const parent = new k8s.Provider("parent", { kubeconfig });

const shop = new k8s.core.v1.Namespace("shop", { metadata: { name: "shop" } }, { provider: parent });

const templates = manifests.map(
  (manifest) => new clusternet.Manifest(manifest.metadata.name, manifest, { provider: parent, dependsOn: shop }),
);

for (const subscription of subscriptions) {
  const delivered = new clusternet.Subscription(
    subscription.metadata.name,
    { ...subscription, waitFor: ["condition=Delivered"] },
    { provider: parent, dependsOn: templates },
  );
  // Until then it says which clusters are not there yet, and why: a conflict with what exists, say.
  clusternet.showProgress(delivered, { kubeconfig, after: templates });
}
