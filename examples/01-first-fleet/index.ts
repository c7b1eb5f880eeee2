// One parent, two children, and one application on both: with one value that differs everywhere and one that differs in one place.

import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import * as clusternet from "pulumi-clusternet";
import { shop } from "./shop.ts";

const config = new pulumi.Config();

const names = (config.get("children") ?? "child-1,child-2").split(",").filter((name) => name !== "");

/** Kubeconfigs are files of one folder: parent.kubeconfig, child-1.kubeconfig, child-2.kubeconfig. */
const kubeconfig = (cluster: string): string => readFileSync(`${config.require("kubeconfigs")}/${cluster}.kubeconfig`, "utf8");

const fleet = new clusternet.ClusternetFleet("first-fleet", {
  parent: { kubeconfig: kubeconfig("parent") },
  children: names.map((name) => ({ name, kubeconfig: kubeconfig(name), labels: { stage: "demo" } })),
  bootstrapSecret: config.requireSecret("bootstrapSecret"),

  // Clusters that Cluster API makes on the parent join by themselves; their labels decide what they get.
  clusterApi: true,

  // An ordinary user may not listen on ports below 1024; on a real cluster leave this out.
  hubServicePort: config.getNumber("hubServicePort") ?? 443,
  crdsOnDestroy: "delete",

  templates: [shop.configMap, shop.service, shop.deployment(config.get("release") ?? "1")],
  subscriptions: [
    {
      name: "shop",
      spec: {
        subscribers: [{ clusterAffinity: { matchLabels: { stage: "demo" } } }],
        feeds: [
          { apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "shop" },
          { apiVersion: "v1", kind: "Service", namespace: "default", name: "shop" },
          { apiVersion: "apps/v1", kind: "Deployment", namespace: "default", name: "shop" },
        ],
      },
      // `pulumi up` ends when the application runs on every child. Without a child it would never be available.
      ...(names.length === 0
        ? {}
        : { waitFor: [`jsonpath={.status.desiredReleases}=${String(names.length)}`, "condition=Available"] }),
    },
  ],
  globalizations: [
    {
      name: "greeting",
      spec: {
        overridePolicy: "ApplyNow",
        feed: { apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "shop" },
        overrides: [{ name: "the fleet's greeting", type: "MergePatch", value: "data: { greeting: Hello from the fleet }" }],
      },
    },
  ],
  // The second child is special: what is said for one cluster is applied on top of what is said for all.
  localizations: names.slice(1, 2).flatMap((child) => [
    {
      name: "two-replicas",
      child,
      spec: {
        overridePolicy: "ApplyNow",
        feed: { apiVersion: "apps/v1", kind: "Deployment", namespace: "default", name: "shop" },
        overrides: [
          { name: "more replicas", type: "JSONPatch", value: '[{ "op": "replace", "path": "/spec/replicas", "value": 2 }]' },
        ],
      },
    },
    {
      name: "greeting",
      child,
      spec: {
        overridePolicy: "ApplyNow",
        feed: { apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "shop" },
        overrides: [{ name: "this child's greeting", type: "MergePatch", value: `data: { greeting: Hello from ${child} }` }],
      },
    },
  ]),
});

export const children = fleet.children.map(({ clusterName, clusterNamespace }) => ({ clusterName, clusterNamespace }));
