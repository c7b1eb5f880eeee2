// The agent in one child cluster.

import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { agentStages, type SyncMode } from "#install/child.ts";
import type { PredictorPort } from "#install/predictor.ts";
import { checkArguments, componentArgumentsShape, known, namespaceName } from "./arguments.ts";
import { requireProvider } from "./cluster.ts";
import { componentInstall, type ComponentArgs } from "./component-args.ts";
import { createStages, dependenciesOf } from "./objects.ts";

export interface AgentArgs extends ComponentArgs {
  /** Name that the child is registered under, at most 30 characters. */
  readonly clusterName: string;
  /** The child's own namespace on the parent. */
  readonly clusterNamespace: string;
  readonly clusterLabels?: Readonly<Record<string, string>>;
  /** Who applies what: the agent (Pull, the default), the parent (Push), or both as each can (Dual). */
  readonly syncMode?: SyncMode;
  /** `https://host:port` of the parent, as the child reaches it. */
  readonly parentUrl: pulumi.Input<string>;
  /** PEM. Without it the parent's certificate must be one that systems trust. */
  readonly parentCaPem?: pulumi.Input<string>;
  /** `<id>.<secret>`: kept secret in the state. */
  readonly registrationToken: pulumi.Input<string>;
  /** ClusterRole that decides what the parent may deploy in this child. Default: `clusternet:app:deployer`, which is installed. */
  readonly deployerClusterRole?: string;
  /** A port for schedulers that ask for capacity without the tunnel; both sides show a certificate. Default: none. */
  readonly predictorPort?: PredictorPort;
}

/** The system this stays compatible with limits the name of a ManagedCluster. */
export const CLUSTER_NAME_LENGTH_MAX = 30;

const syncMode = z.enum(["Pull", "Push", "Dual"]);
const clusterLabels = z.record(z.string().max(317), z.string().max(63, "Label values have at most 63 characters"));

export const agentArgumentsShape = {
  ...componentArgumentsShape,
  clusterName: z.string().min(1).max(CLUSTER_NAME_LENGTH_MAX),
  clusterNamespace: namespaceName,
  clusterLabels: clusterLabels.optional(),
  syncMode: syncMode.optional(),
  parentUrl: known(z.url({ protocol: /^https$/, error: "Must be an https:// URL that the child can reach" })),
  parentCaPem: known(z.string()).optional(),
  registrationToken: known(z.string().min(1)),
  deployerClusterRole: z.string().min(1).optional(),
  predictorPort: z
    .strictObject({
      url: z.url({ protocol: /^https$/, error: "Must be an https:// URL that the parent's scheduler can reach" }),
      port: z.int().min(1).max(65_535).optional(),
      secretName: z.string().min(1),
      clientNames: z.array(z.string().min(1)).min(1, "Must name who may ask").optional(),
    })
    .optional(),
} as const;

/** Joins the cluster of its provider to a parent. Done when its Deployment is Ready: it has asked to join. */
export class Agent extends pulumi.ComponentResource {
  readonly resources: readonly pulumi.CustomResource[];

  constructor(name: string, args: AgentArgs, options: pulumi.ComponentResourceOptions) {
    checkArguments(`Agent ${name}`, z.strictObject(agentArgumentsShape), args);
    const { registrationToken, parentUrl, parentCaPem, ...plain } = args;
    super("clusternet:index:Agent", name, plain, options);
    const stages = agentStages({
      ...plain,
      ...componentInstall(args),
      syncMode: args.syncMode ?? "Pull",
      parentUrl,
      registrationToken: pulumi.secret(registrationToken),
      ...(parentCaPem === undefined ? {} : { parentCaPem }),
    });
    const provider = requireProvider(this, `Agent ${name}`);
    this.resources = createStages(name, stages, { parent: this, provider, dependsOn: dependenciesOf(options) });
    this.registerOutputs({});
  }
}
