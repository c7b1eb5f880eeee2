// Replicas where there is room, on a fleet that is there (01-first-fleet makes one).

import { readFileSync } from "node:fs";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as clusternet from "pulumi-clusternet";
import { manifest, subscription } from "./objects.ts";

const config = new pulumi.Config();
const kubeconfig = readFileSync(`${config.require("kubeconfigs")}/parent.kubeconfig`, "utf8");
const provider = new k8s.Provider("parent", { kubeconfig });

const template = new clusternet.Manifest("render", manifest(config.getNumber("replicas")), { provider });

const render = new clusternet.Subscription(
  "render",
  { ...subscription(config.get<"Spread" | "Binpack">("strategy")), waitFor: ["condition=Scheduled"] },
  { provider, dependsOn: template },
);

/** Replicas per cluster, in the order of bindingClusters. */
export const clusters = render.status.apply((status) => status?.bindingClusters);
export const divided = render.status.apply((status) => status?.replicas?.["apps/v1/Deployment/default/render"]);
