// A chart in every child with the label `stage: demo`, on a fleet that is there (01-first-fleet makes one).

import { readFileSync } from "node:fs";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as clusternet from "pulumi-clusternet";
import { globalization, helmChart, localization, subscription } from "./objects.ts";

const config = new pulumi.Config();
const kubeconfig = readFileSync(`${config.require("kubeconfigs")}/parent.kubeconfig`, "utf8");
const provider = new k8s.Provider("parent", { kubeconfig });

const namespace = new k8s.core.v1.Namespace("charts", { metadata: { name: "charts" } }, { provider });

// A repository of your own, and the password it asks for.
const repository = config.get("repository");
const username = config.get("username");
const pullSecret =
  username === undefined
    ? undefined
    : new clusternet.ChartPullSecret(
        "registry",
        { namespace: "charts", username, password: config.requireSecret("password") },
        { provider, dependsOn: namespace },
      );

const chart = new clusternet.HelmChart(
  "podinfo",
  {
    ...helmChart,
    spec: {
      ...helmChart.spec,
      ...(repository === undefined ? {} : { repo: repository }),
      ...(config.getBoolean("plainHTTP") === true ? { plainHTTP: true } : {}),
      ...(pullSecret === undefined ? {} : { chartPullSecret: pullSecret.reference }),
    },
  },
  { provider, dependsOn: [namespace, ...(pullSecret?.resources ?? [])] },
);
const message = new clusternet.Globalization("podinfo-message", globalization, { provider, dependsOn: chart });

// Dedicated namespace of the one cluster that gets two replicas; `kubectl get managedclusters -A` shows them.
const special = config.get("specialNamespace");
if (special !== undefined) {
  new clusternet.Localization("podinfo-replicas", localization(special), { provider, dependsOn: chart });
}

// `pulumi up` ends when the chart is released in every cluster; until then it says which are not there yet, and why.
const everywhere = new clusternet.Subscription(
  "podinfo",
  { ...subscription, waitFor: ["condition=Available"] },
  { provider, dependsOn: [chart, message] },
);
clusternet.showProgress(everywhere, { kubeconfig, after: [message] });

export const released = clusternet.conditionOf(everywhere, "Available").apply((condition) => condition?.message);
