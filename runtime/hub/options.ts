// The hub's flags and environment -> HubOptions.

import * as z from "zod";
import { leases, namespaces } from "#api/names.ts";
import { booleanOption, durationOption, listOption, parseOptions, type Environment } from "#std/options.ts";
import { packageVersion } from "#std/version.ts";

export const hubOptionsSchema = z.object({
  kubeconfig: z.string().default("").describe("Kubeconfig of the parent; empty: the pod's own account"),
  bindAddress: z.string().default("127.0.0.1").meta({ env: "POD_IP" }).describe("Address to listen on"),
  securePort: z.coerce.number().int().min(0).max(65_535).default(8443).describe("HTTPS port of the aggregated API"),
  healthPort: z.coerce.number().int().min(0).max(65_535).default(8080).describe("Port of /livez, /readyz and /metrics"),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info").describe("Least level that is logged"),
  leaderElect: booleanOption(true).describe("Accepted for uniformity: every replica of the hub serves"),
  leaderElectResourceName: z.string().min(1).default(leases.hub).describe("Accepted for uniformity"),
  leaderElectResourceNamespace: z
    .string()
    .min(1)
    .default(namespaces.system)
    .meta({ env: "POD_NAMESPACE" })
    .describe("Namespace the hub runs in; its serving authority is a Secret there"),
  leaderElectLeaseDuration: durationOption("15s").describe("Accepted for uniformity"),
  leaderElectRenewDeadline: durationOption("10s").describe("Accepted for uniformity"),
  leaderElectRetryPeriod: durationOption("2s").describe("Accepted for uniformity"),
  serviceName: z
    .string()
    .min(1)
    .default("clusternet-hub")
    .describe("Name of the hub's Service: the serving certificate is for it"),
  servingNames: listOption().describe(
    "Further host names and addresses in the serving certificate, for agents that use --hub-url",
  ),
  servingAuthorityDays: z.coerce
    .number()
    .int()
    .min(1)
    .max(3_650)
    .default(365)
    .describe("Validity of the hub's own serving authority"),
  servingCertificateDays: z.coerce.number().int().min(1).max(365).default(30).describe("Validity of a serving certificate"),
  authorityOverlap: durationOption("1h").describe(
    "How long a new authority is in the caBundle before certificates are signed by it",
  ),
  maxRequestsInFlight: z.coerce.number().int().min(1).default(400).describe("Short requests served at once"),
  maxLongRunningRequestsInFlight: z.coerce
    .number()
    .int()
    .min(1)
    .default(20_000)
    .describe("Watches, log follows, upgrades and tunnels served at once"),
  maxSessionsPerCluster: z.coerce.number().int().min(1).max(64).default(4).describe("Tunnels of one cluster at once"),
  shutdownDelay: durationOption("2s").describe("How long requests are still accepted after readiness was withdrawn"),
  shutdownTimeout: durationOption("30s").describe("How long requests that are being served may take to end"),
  credentialExtras: booleanOption(false).describe(
    "Accept a child's credential in impersonation extras (clusternet-token), as upstream clients send it; it appears in the parent's audit log",
  ),
});

export type HubOptions = z.output<typeof hubOptionsSchema>;

export const hubCommand = {
  name: "hub",
  description: "The aggregated API server of the parent: tunnels from child clusters, and requests through them",
  version: packageVersion,
  schema: hubOptionsSchema,
} as const;

export function parseHubOptions(argv: readonly string[], env: Environment): HubOptions {
  return parseOptions(hubCommand, argv, env);
}
