// The agent's flags and environment -> AgentOptions.

import { leases, namespaces, serviceAccounts } from "#api/names.ts";
import { booleanOption, durationOption, listOption, OptionsError, parseOptions, type Environment } from "#std/options.ts";
import { packageVersion } from "#std/version.ts";
import * as z from "zod";
import { directAccessOf, type DirectAccess, type DirectAccessOptions } from "./direct-access.ts";

const BOOTSTRAP_TOKEN = /^[a-z0-9]{6}\.[a-z0-9]{16}$/;
const ACCOUNT_TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;
/** Faster would only load the parent; slower makes a dead cluster look alive for hours. */
const REPORT_FREQUENCY_MS = { min: 1_000, max: 3_600_000 } as const;

const url = z.url({ protocol: /^https$/, error: "Expected an https URL" });

export const agentOptionsSchema = z.object({
  kubeconfig: z.string().default("").describe("Kubeconfig of the child; empty: the pod's own account"),
  bindAddress: z
    .string()
    .default("127.0.0.1")
    .meta({ env: "POD_IP" })
    .describe("Address that health, metrics and the predictor's port are served on"),
  healthPort: z.coerce.number().int().min(0).max(65_535).default(8081).describe("Port of /livez, /readyz and /metrics"),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info").describe("Least level that is logged"),
  leaderElect: booleanOption(true).describe("Only the holder of a Lease in the child works"),
  leaderElectResourceName: z.string().min(1).default(leases.agent).describe("Name of that Lease"),
  leaderElectResourceNamespace: z
    .string()
    .min(1)
    .default(namespaces.system)
    .meta({ env: "POD_NAMESPACE" })
    .describe("Namespace of the agent's accounts, Lease and Secrets in the child"),
  leaderElectLeaseDuration: durationOption("15s").describe("How long a lost leader is waited for"),
  leaderElectRenewDeadline: durationOption("10s").describe("How long a leader tries to renew"),
  leaderElectRetryPeriod: durationOption("2s").describe("How often the Lease is tried"),

  clusterRegParentUrl: url.meta({ env: "PARENT_URL" }).describe("API server of the parent"),
  clusterRegToken: z
    .string()
    .refine((token) => BOOTSTRAP_TOKEN.test(token) || ACCOUNT_TOKEN.test(token), {
      error: "Expected a bootstrap token (abcdef.0123456789abcdef) or a ServiceAccount token",
    })
    .meta({ env: "REG_TOKEN" })
    .describe("Credential to ask with: a bootstrap token or a ServiceAccount token; better in the environment than in a flag"),
  clusterRegParentCaFile: z
    .string()
    .default("")
    .describe("PEM of the parent's certificate authority; empty: the system's authorities"),
  clusterRegName: z
    .string()
    .max(253)
    .regex(/^$|^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, { error: "Expected lower case letters, digits, - and ." })
    .default("")
    .describe(
      "Name of the ManagedCluster; longer than 30 characters is shortened; empty: what the join grant says, or the prefix",
    ),
  clusterRegNamePrefix: z
    .string()
    .max(21)
    .regex(/^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, { error: "Expected lower case letters, digits and -" })
    .default("")
    .describe("Without a name: this and the first 8 digits of the cluster's id"),
  clusterRegNamespace: z
    .string()
    .max(63)
    .regex(/^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
    .default("")
    .describe("Dedicated namespace to ask for"),
  clusterRegType: z.enum(["StandardCluster", "EdgeCluster"]).default("StandardCluster").describe("Kind of cluster"),
  clusterSyncMode: z.enum(["Pull", "Push", "Dual"]).default("Pull").describe("Who delivers: the agent, the parent, or both"),
  clusterLabels: listOption().describe("Labels of the ManagedCluster to ask for: k=v,k2=v2"),
  clusterStatusReportFrequency: durationOption("3m0s").describe("How often the status is published"),
  clusterStatusUpdateFrequency: z.string().default("").describe("The same, as upstream names it"),
  clusterStatusCollectFrequency: durationOption("20s").describe("How often the status is collected"),
  useMetricsServer: booleanOption(false).describe("Publish usage and pods, from metrics.k8s.io of the child"),
  clusterCidr: z
    .string()
    .default("")
    .meta({ env: "CLUSTER_CIDR" })
    .describe("Address range of pods, when no control plane pod tells it"),
  serviceCidr: z
    .string()
    .default("")
    .meta({ env: "SERVICE_CIDR" })
    .describe("Address range of services, when no control plane pod tells it"),

  helm: z.string().min(1).default("helm").describe("The helm executable (3.8 or newer, or 4), for charts: a path or a name"),
  helmPath: z.string().default("").meta({ env: "PATH" }).describe("Where helm is looked for when its name is no path"),

  hubUrl: z
    .union([z.literal(""), url])
    .default("")
    .describe("Dial the hub here instead of through the parent's API server"),
  hubCaFile: z.string().default("").describe("PEM of the hub's certificate authority, with --hub-url; empty: that of the parent"),
  allowPush: booleanOption(false).describe("The parent's controller-manager may act as the deployer account (Push and Dual)"),
  predictor: booleanOption(true).describe("Tell the parent's scheduler how many more replicas of a feed fit into this cluster"),
  predictorUsers: listOption().describe("Users of the parent that may ask for it, too: names, divided by commas"),
  predictorDirectAccess: booleanOption(false).describe(
    "Answer such questions also on a port of the agent, to callers that show a certificate, and have the parent's scheduler ask there",
  ),
  predictorDirectUrl: z
    .string()
    .default("")
    .describe("Where the parent reaches that port, such as https://predictor.paris.example:8080; the certificate has this name"),
  predictorPort: z.coerce.number().int().min(0).max(65_535).default(8080).describe("That port"),
  predictorCertFile: z.string().default("").describe("PEM of its certificate; replaced files are used within a minute"),
  predictorKeyFile: z.string().default("").describe("PEM of the certificate's private key"),
  predictorClientCaFile: z.string().default("").describe("PEM of the authority that signs the certificates of callers"),
  predictorClientNames: listOption([serviceAccounts.scheduler]).describe(
    "Common names of certificates whose holders may ask there, divided by commas",
  ),
  predictorInsecure: booleanOption(false).describe(
    "Serve that port over plain HTTP to whoever reaches it, as upstream's agents do and upstream's schedulers ask",
  ),
  parentSystemNamespace: z.string().min(1).default(namespaces.system).describe("Namespace of our components on the parent"),
});

export interface AgentOptions extends Omit<
  z.output<typeof agentOptionsSchema>,
  "clusterLabels" | "clusterStatusUpdateFrequency" | Exclude<keyof DirectAccessOptions, "predictor">
> {
  readonly clusterLabels: Readonly<Record<string, string>>;
  /** undefined: capacity is asked for through the tunnel only. */
  readonly directAccess?: DirectAccess | undefined;
}

const schema = agentOptionsSchema;

export function parseAgentOptions(argv: readonly string[], env: Environment): AgentOptions {
  const shape = {
    name: "agent",
    description: "Joins this cluster to a parent and keeps it joined",
    version: packageVersion,
    schema,
  };
  const { clusterLabels, clusterStatusUpdateFrequency, ...options } = parseOptions(shape, argv, env);
  const { access: directAccess, problems } = directAccessOf(options);
  if (problems.length > 0) throw new OptionsError(`Cannot start agent:\n  ${problems.join("\n  ")}\nSee agent --help`);
  const reportMs =
    clusterStatusUpdateFrequency === ""
      ? options.clusterStatusReportFrequency
      : durationOption("3m0s").parse(clusterStatusUpdateFrequency);
  if (reportMs < REPORT_FREQUENCY_MS.min || reportMs > REPORT_FREQUENCY_MS.max) {
    throw new Error(`--cluster-status-report-frequency: Expected 1s to 1h, got ${String(reportMs)} ms`);
  }
  return {
    ...options,
    directAccess,
    clusterStatusReportFrequency: reportMs,
    clusterLabels: parseClusterLabels(clusterLabels),
  };
}

/** `k=v` entries; one without exactly one `=` is an error, not a warning: a label that is silently missing moves workloads. */
function parseClusterLabels(entries: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    entries.map((entry) => {
      const [key, value, ...rest] = entry.split("=");
      if (key === undefined || key === "" || value === undefined || rest.length > 0) {
        throw new Error(`--cluster-labels: Expected k=v, got ${JSON.stringify(entry)}`);
      }
      return [key.trim(), value.trim()];
    }),
  );
}
