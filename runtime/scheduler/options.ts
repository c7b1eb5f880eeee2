// Flags and environment of the scheduler.

import * as z from "zod";
import { leases, namespaces } from "#api/names.ts";
import { booleanOption, durationOption, OptionsError, parseOptions, type Environment } from "#std/options.ts";
import { CAPACITY_PARALLEL_DEFAULT, CAPACITY_TIMEOUT_DEFAULT } from "./capacity-client.ts";
import { defaultFleetLimits, type FleetLimits } from "./failover/fleet-guard.ts";
import { REBALANCES_MAX_DEFAULT } from "./rebalance/turns.ts";
import { DEFAULT_PREEMPTIONS_PER_MINUTE } from "./preempt/budget.ts";
import { packageVersion } from "#std/version.ts";

const schema = z.object({
  kubeconfig: z.string().default("").describe("Path of the kubeconfig of the parent; empty: the pod's own account"),
  bindAddress: z.string().default("127.0.0.1").meta({ env: "POD_IP" }).describe("Address that health and metrics are served on"),
  healthPort: z.coerce.number().int().min(0).max(65_535).default(8082).describe("Port of /livez, /readyz and /metrics"),
  logLevel: z.enum(["debug", "info", "warn", "error", "silent"]).default("info").describe("Least severe level that is logged"),
  leaderElect: booleanOption(true).describe("Only one replica at a time schedules"),
  leaderElectResourceName: z
    .string()
    .min(1)
    .default(leases.scheduler)
    .describe("Name of the Lease; schedulers side by side in one namespace each need their own, and a Role for it"),
  leaderElectResourceNamespace: z
    .string()
    .default(namespaces.system)
    .meta({ env: "POD_NAMESPACE" })
    .describe("Namespace of the Lease that replicas compete for"),
  leaderElectLeaseDuration: durationOption("15s").describe("How long a silent leader keeps the Lease"),
  leaderElectRenewDeadline: durationOption("10s").describe("How long the leader tries to renew before it gives up"),
  leaderElectRetryPeriod: durationOption("2s").describe("Time between attempts to take or renew the Lease"),
  schedulerName: z
    .string()
    .min(1)
    .default("default")
    .describe("Subscriptions with this spec.schedulerName are ours; of a profile in --config, when it does not say its own"),
  failoverPerMinute: z.coerce
    .number()
    .int()
    .min(0)
    .max(100_000)
    .default(defaultFleetLimits.evictionsPerMinute)
    .describe("How many clusters Subscriptions begin to leave in a minute, all together; 0: nothing fails over"),
  failoverSilentPercent: z.coerce
    .number()
    .int()
    .min(0)
    .max(100)
    .default(30)
    .describe(
      "While a larger share of the clusters is silent at once, nothing fails over: that is rather our network than theirs",
    ),
  failoverSilentClusters: z.coerce
    .number()
    .int()
    .min(1)
    .default(defaultFleetLimits.silentClustersMin)
    .describe("Fewer silent clusters than this never hold failover back, whatever their share"),
  rebalanceParallel: z.coerce
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(REBALANCES_MAX_DEFAULT)
    .describe("Subscriptions of which plans are carried out at the same time, all together; 0: plans are only shown"),
  preemptionPerMinute: z.coerce
    .number()
    .int()
    .min(0)
    .max(1_000_000)
    .default(DEFAULT_PREEMPTIONS_PER_MINUTE)
    .describe("How many replicas may be taken from Subscriptions of lower priority in a minute, all together; 0: none ever"),
  config: z.string().default("").describe("Path of a YAML file with profiles and their plugins; empty: the default plugins"),
  pluginHangTimeout: durationOption("30s").describe(
    "How long a plugin of --config may keep everything else waiting for one answer before the process ends itself, naming it; 0s: for ever",
  ),
  capacityTimeout: durationOption(CAPACITY_TIMEOUT_DEFAULT).describe(
    "How long clusters may take to tell what fits, before a decision that depends on it; who does not answer is silent",
  ),
  capacityCache: durationOption("10s").describe(
    "How long such an answer is good for; a change of the ManagedCluster ends it, too",
  ),
  capacityReservation: durationOption("1m0s").describe(
    "How long a placement is held against double booking while its cluster does not show its pods on nodes",
  ),
  capacityParallel: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(CAPACITY_PARALLEL_DEFAULT)
    .describe("Such questions on their way at the same time"),
  predictorCaFile: z
    .string()
    .default("")
    .describe(
      "PEM of the authority of predictors with predictorDirectAccess, which are then asked straight; empty: all are asked through the hub",
    ),
  predictorClientCertFile: z
    .string()
    .default("")
    .describe("PEM of the certificate that the scheduler shows to predictors that it asks straight; read again every minute"),
  predictorClientKeyFile: z.string().default("").describe("PEM of its private key"),
  upstreamDividing: booleanOption(false).describe(
    "Static dividing rounds as upstream does, from nothing each time; otherwise by the largest remainder, moving as few replicas as it can",
  ),
});

export type SchedulerOptions = z.output<typeof schema>;

export function fleetLimitsOf(options: SchedulerOptions): FleetLimits {
  return {
    evictionsPerMinute: options.failoverPerMinute,
    silentPercentMax: options.failoverSilentPercent,
    silentClustersMin: options.failoverSilentClusters,
  };
}

export const schedulerCommand = {
  name: "scheduler",
  description: "Binds Subscriptions to clusters",
  version: packageVersion,
  schema,
};

export function parseSchedulerOptions(argv: readonly string[], env: Environment): SchedulerOptions {
  const options = parseOptions(schedulerCommand, argv, env);
  const problem = straightProblem(options);
  if (problem !== undefined) throw new OptionsError(`Cannot start scheduler:\n  ${problem}\nSee scheduler --help`);
  return options;
}

/** Options that only mean something together: which one is wrong, why, and what to do. */
function straightProblem({
  predictorCaFile: ca,
  predictorClientCertFile: certificate,
  predictorClientKeyFile: key,
}: SchedulerOptions): string | undefined {
  if (certificate !== "" && key === "")
    return "--predictor-client-key-file: Not given; name the key of --predictor-client-cert-file";
  if (certificate === "" && key !== "") {
    return "--predictor-client-cert-file: Not given; name the certificate of --predictor-client-key-file";
  }
  if (certificate !== "" && ca === "") {
    return "--predictor-ca-file: Not given, so nobody is asked straight and --predictor-client-cert-file is of no use; name the authority of the predictors";
  }
  return undefined;
}
