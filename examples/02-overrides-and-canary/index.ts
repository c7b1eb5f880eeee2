// One application on the fleet of 01-first-fleet: values that differ by cluster, and a release that goes to a canary first.

import { readFileSync } from "node:fs";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as clusternet from "pulumi-clusternet";
import { configMap, deployment, feedOf, manifestOf } from "./tea.ts";

const config = new pulumi.Config();
const provider = new k8s.Provider("parent", { kubeconfig: readFileSync(config.require("parentKubeconfig"), "utf8") });

/** How far release 2 is: nowhere, in the clusters with label stage=canary, or everywhere. */
const rollout = config.get("rollout") ?? "canary";

/** Dedicated namespace of the one cluster that is larger than the others. */
const largeCluster = config.get("largeCluster");

const templates = [configMap, deployment].map(
  (template) => new clusternet.Manifest(template.kind.toLowerCase(), manifestOf(template), { provider }),
);

new clusternet.Subscription(
  "tea",
  {
    metadata: { name: "tea", namespace: "default" },
    spec: { subscribers: [{ clusterAffinity: { matchLabels: { stage: "demo" } } }], feeds: [configMap, deployment].map(feedOf) },
  },
  { provider, dependsOn: templates },
);

// For every cluster: one line of a file inside a ConfigMap, whose comments stay.
new clusternet.Globalization(
  "log-level",
  {
    metadata: { name: "tea-log-level" },
    spec: {
      overridePolicy: "ApplyNow",
      feed: feedOf(configMap),
      overrides: [
        clusternet.textMergePatch(
          { path: clusternet.pointer("data", "tea.yaml"), format: "YAML" },
          { log: { level: "warn" } },
          { name: "level" },
        ),
      ],
    },
  },
  { provider },
);

// The canary: the same override for more and more clusters. To stop it or to take it back, select fewer.
if (rollout !== "nowhere") {
  new clusternet.Globalization(
    "release-2",
    {
      metadata: { name: "tea-release-2" },
      spec: {
        overridePolicy: "ApplyNow",
        priority: 600,
        feed: feedOf(deployment),
        ...(rollout === "everywhere" ? {} : { clusterAffinity: { matchLabels: { tea: "canary" } } }),
        overrides: [
          clusternet.jsonPatch(
            [
              { op: "test", path: clusternet.pointer("spec", "template", "spec", "containers", 0, "name"), value: "tea" },
              { op: "replace", path: clusternet.pointer("spec", "template", "spec", "containers", 0, "image"), value: "tea:2" },
            ],
            { name: "image" },
          ),
        ],
      },
    },
    { provider },
  );
}

// For one cluster, on top of everything that is said for all.
if (largeCluster !== undefined) {
  new clusternet.Localization(
    "large",
    {
      metadata: { name: "tea-large", namespace: largeCluster },
      spec: {
        overridePolicy: "ApplyNow",
        feed: feedOf(deployment),
        overrides: [clusternet.mergePatch({ spec: { replicas: 5 } }, { name: "replicas" })],
      },
    },
    { provider },
  );
}
