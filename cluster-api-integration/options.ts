// The integration's flags and environment -> IntegrationOptions.

import * as z from "zod";
import { leases, namespaces } from "#api/names.ts";
import { booleanOption, durationOption, parseOptions, type Environment } from "#std/options.ts";
import { packageVersion } from "#std/version.ts";

/** A token is renewed an hour before it expires: a shorter one would be renewed all the time. */
const JOIN_TOKEN_LIFETIME_MS_MIN = 2 * 60 * 60 * 1000;

export const integrationOptionsSchema = z.object({
  kubeconfig: z.string().default("").describe("Kubeconfig of the parent; empty: the pod's own account"),
  bindAddress: z.string().default("127.0.0.1").meta({ env: "POD_IP" }).describe("Address that health and metrics are served on"),
  healthPort: z.coerce.number().int().min(0).max(65_535).default(8084).describe("Port of /livez, /readyz and /metrics"),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info").describe("Least level that is logged"),
  leaderElect: booleanOption(true).describe("Only the holder of a Lease works"),
  leaderElectResourceName: z.string().min(1).default(leases.clusterApiIntegration).describe("Name of that Lease"),
  leaderElectResourceNamespace: z
    .string()
    .min(1)
    .default(namespaces.system)
    .meta({ env: "POD_NAMESPACE" })
    .describe("Namespace of our components on the parent, and of the Lease"),
  leaderElectLeaseDuration: durationOption("15s").describe("How long a lost leader is waited for"),
  leaderElectRenewDeadline: durationOption("10s").describe("How long a leader tries to renew"),
  leaderElectRetryPeriod: durationOption("2s").describe("How often the Lease is tried"),
  joinTokenLifetime: durationOption("24h")
    .refine((lifetimeMs) => lifetimeMs >= JOIN_TOKEN_LIFETIME_MS_MIN, "must be at least 2h")
    .describe("How long the token that an agent asks to join with is valid; at least 2h"),
});

export type IntegrationOptions = z.output<typeof integrationOptionsSchema>;

export function parseIntegrationOptions(argv: readonly string[], env: Environment): IntegrationOptions {
  return parseOptions(
    {
      name: "cluster-api-integration",
      description: "Joins the clusters that Cluster API makes on this parent",
      version: packageVersion,
      schema: integrationOptionsSchema,
    },
    argv,
    env,
  );
}
