// A chart in every child with the label `stage: demo`, on a fleet that is there (01-first-fleet makes one).

import { readFileSync } from "node:fs";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as clusternet from "pulumi-clusternet";
import { globalization, helmChart, localization, subscription } from "./objects.ts";

const config = new pulumi.Config();
const parent = new k8s.Provider("parent", {
  kubeconfig: readFileSync(`${config.require("kubeconfigs")}/parent.kubeconfig`, "utf8"),
});
const options = { provider: parent };

const shop = new k8s.core.v1.Namespace("shop", { metadata: { name: "shop" } }, options);
const chart = new clusternet.HelmChart("podinfo", helmChart, { ...options, dependsOn: shop });
const message = new clusternet.Globalization("podinfo-message", globalization, { ...options, dependsOn: chart });

// Dedicated namespace of the one cluster that gets two replicas; `kubectl get managedclusters -A` shows them.
const special = config.get("specialNamespace");
if (special !== undefined) {
  new clusternet.Localization("podinfo-replicas", localization(special), { ...options, dependsOn: chart });
}

new clusternet.Subscription("podinfo", subscription, { ...options, dependsOn: [chart, message] });
