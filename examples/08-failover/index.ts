// Failover, on a fleet that is there (01-first-fleet makes one).

import { readFileSync } from "node:fs";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as clusternet from "pulumi-clusternet";
import { manifest, subscription } from "./objects.ts";

const config = new pulumi.Config();
const kubeconfig = readFileSync(`${config.require("kubeconfigs")}/parent.kubeconfig`, "utf8");
const provider = new k8s.Provider("parent", { kubeconfig });

const template = new clusternet.Manifest("leader", manifest, { provider });

const leader = new clusternet.Subscription(
  "leader",
  { ...subscription(config.get<"Stay" | "MoveBack">("afterRecovery")), waitFor: ["condition=Available"] },
  { provider, dependsOn: template },
);

/** Where it runs now; `pulumi refresh` looks again. */
export const clusters = leader.status.apply((status) => status?.bindingClusters);
