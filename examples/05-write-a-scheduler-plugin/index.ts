// A parent whose scheduler has a plugin of its own. `ClusternetFleet` takes the same `scheduler` in its arguments for the control plane.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as clusternet from "pulumi-clusternet";
import { schedulerConfig } from "./scheduler-config.ts";

const settings = new pulumi.Config();
const kubeconfig = readFileSync(settings.require("kubeconfig"), "utf8");
const parent = new k8s.Provider("parent", { kubeconfig });

new clusternet.ControlPlane(
  "parent",
  {
    scheduler: {
      config: schedulerConfig,
      // Lies beside the configuration in the scheduler's Pod; Node runs TypeScript as it is.
      files: { "cheapest.ts": readFileSync(join(import.meta.dirname, "cheapest.ts"), "utf8") },
    },
    // An ordinary user may not listen on ports below 1024; on a real cluster leave this out.
    hubServicePort: settings.getNumber("hubServicePort") ?? 443,
  },
  { provider: parent },
);
