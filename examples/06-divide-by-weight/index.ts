// Replicas by weight, on a fleet that is there (01-first-fleet makes one).

import { readFileSync } from "node:fs";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as clusternet from "pulumi-clusternet";
import { configMap, deployment, manifestOf, subscription } from "./objects.ts";

const config = new pulumi.Config();
const kubeconfig = readFileSync(`${config.require("kubeconfigs")}/parent.kubeconfig`, "utf8");
const provider = new k8s.Provider("parent", { kubeconfig });

/** How many in all, and who gets which part of them. */
const replicas = config.getNumber("replicas");
const weights = config.getObject<Record<string, number>>("weights");

const templates = [configMap, deployment(replicas)].map(
  (template) => new clusternet.Manifest(template.kind.toLowerCase(), manifestOf(template), { provider }),
);

const queue = new clusternet.Subscription(
  "queue",
  { ...subscription(weights), waitFor: ["condition=Scheduled"] },
  { provider, dependsOn: templates },
);

/** Replicas per cluster, by feed, in the order of bindingClusters. */
export const clusters = queue.status.apply((status) => status?.bindingClusters);
export const divided = queue.status.apply((status) => status?.replicas?.["apps/v1/Deployment/default/queue"]);
