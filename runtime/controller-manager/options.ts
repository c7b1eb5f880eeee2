// Flags and environment of the controller-manager.

import * as z from "zod";
import { leases, namespaces } from "#api/names.ts";
import { booleanOption, durationOption, parseOptions, type Environment } from "#std/options.ts";
import { packageVersion } from "#std/version.ts";

const schema = z.object({
  kubeconfig: z.string().default("").describe("Path of the kubeconfig of the parent; empty: the pod's own account"),
  bindAddress: z.string().default("127.0.0.1").meta({ env: "POD_IP" }).describe("Address that health and metrics are served on"),
  healthPort: z.coerce.number().int().min(0).max(65_535).default(8083).describe("Port of /livez, /readyz and /metrics"),
  logLevel: z.enum(["debug", "info", "warn", "error", "silent"]).default("info").describe("Least severe level that is logged"),
  leaderElect: booleanOption(true).describe("Only one replica at a time runs the controllers"),
  leaderElectResourceName: z
    .string()
    .min(1)
    .default(leases.controllerManager)
    .describe("Name of that Lease; another one than the default needs a Role for it"),
  leaderElectResourceNamespace: z
    .string()
    .default(namespaces.system)
    .meta({ env: "POD_NAMESPACE" })
    .describe("Our own namespace: of the Lease that replicas compete for, and of join grants"),
  leaderElectLeaseDuration: durationOption("15s").describe("How long a silent leader keeps the Lease"),
  leaderElectRenewDeadline: durationOption("10s").describe("How long the leader tries to renew before it gives up"),
  leaderElectRetryPeriod: durationOption("2s").describe("Time between attempts to take or renew the Lease"),
  threadiness: z.coerce.number().int().min(1).max(100).default(10).describe("How many objects each controller handles at a time"),
  reservedNamespace: z.string().min(1).default(namespaces.reserved).describe("Namespace of the Manifests"),
  autoApprove: booleanOption(true).describe("Approve registration requests that a join grant covers without a person"),
  upstreamAgents: booleanOption(false).describe("Serve agents of upstream Clusternet too: their token is readable in a status"),
  agentTokenLifetime: durationOption("24h").describe("How long a token of an agent is valid; agents renew theirs at half of it"),
  crossNamespaceFeeds: booleanOption(false).describe(
    "Let every Subscription use every template, as upstream does, instead of only granted ones and those of its own namespace",
  ),
  deletionBudgetPercent: z.coerce
    .number()
    .int()
    .min(0)
    .max(100)
    .default(30)
    .describe("Share of all delivered objects that may be deleted in ten minutes without a confirmation; 100: any share"),
  helm: z
    .string()
    .min(1)
    .default("helm")
    .describe("The helm executable (3.8 or newer, or 4), for pushing charts: a path or a name"),
  helmPath: z.string().default("").meta({ env: "PATH" }).describe("Where helm is looked for when its name is no path"),
  helmRuns: z.coerce
    .number()
    .int()
    .min(1)
    .max(64)
    .default(4)
    .describe("How many runs of helm there are at a time; each is a process of about 100 MB"),
  lostClusterGrace: durationOption("30s").describe(
    "How long a cluster must be silent (Ready=Unknown) before a deletion no longer waits for it and leaves its objects there",
  ),
});

export type ControllerManagerOptions = z.output<typeof schema>;

export const controllerManagerCommand = {
  name: "controller-manager",
  description: "Runs the controllers of the parent: registration of clusters, and delivery to them",
  version: packageVersion,
  schema,
};

export function parseControllerManagerOptions(argv: readonly string[], env: Environment): ControllerManagerOptions {
  return parseOptions(controllerManagerCommand, argv, env);
}
