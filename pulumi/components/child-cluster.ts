// One child joined to a control plane: its place on the parent, its agent, and the grant that lets it in.

import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { BOOTSTRAP_SECRET_LENGTH_MIN, bootstrapTokenId, bootstrapTokenSecret } from "#install/bootstrap-token.ts";
import {
  bootstrapTokenObject,
  childNamespaceObject,
  joinGrantObject,
  reservedClusterNames,
  type SyncMode,
} from "#install/child.ts";
import { INSTALL_DEFAULTS } from "#install/object.ts";
import type { PredictorPort } from "#install/predictor.ts";
import { duration } from "#std/options.ts";
import { Agent, agentArgumentsShape, CLUSTER_NAME_LENGTH_MAX } from "./agent.ts";
import { checkArguments, componentArgumentsShape, dnsLabel, known, withoutUndefined } from "./arguments.ts";
import { clusterAccessShape, hasOneAccess, ONE_OF_ACCESS, providerOf, requireProvider, type ClusterAccess } from "./cluster.ts";
import type { ComponentArgs } from "./component-args.ts";
import { createObject, createStages, dependenciesOf } from "./objects.ts";

export interface ChildClusterArgs extends ComponentArgs, ClusterAccess {
  /** Name of the child in the fleet, at most 30 characters. Default: the resource's name. */
  readonly clusterName?: string;
  /** The child's own namespace on the parent. Default `clusternet-<clusterName>`. */
  readonly clusterNamespace?: string;
  /** Labels that Subscriptions select the child by. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly syncMode?: SyncMode;
  /** `https://host:port` of the parent, as the child reaches it. */
  readonly parentUrl: pulumi.Input<string>;
  /** PEM of the authority that signed the parent's certificate. */
  readonly parentCaPem?: pulumi.Input<string>;
  /** Root of every child's bootstrap token, at least 16 characters. Kept secret in the state. */
  readonly bootstrapSecret: pulumi.Input<string>;
  /** Keeps the tokens of two fleets on one parent apart. Default `fleet`. */
  readonly fleet?: string;
  /**
   * How long the child may take to join, such as `24h`, counted from the creation of its grant on the parent. A child that is in stays.
   * Default: as long as the resource is there.
   */
  readonly validFor?: string;
  /** ClusterRole that decides what the parent may deploy in this child. */
  readonly deployerClusterRole?: string;
  /** A port of the agent for schedulers that ask for capacity without the tunnel. Default: none. */
  readonly predictorPort?: PredictorPort;
}

const clusterName = dnsLabel(CLUSTER_NAME_LENGTH_MAX).refine(
  (name) => !reservedClusterNames.includes(name),
  `Must not be one of ${reservedClusterNames.join(", ")}: our own namespaces have these names`,
);

export const childClusterArgumentsShape = {
  ...componentArgumentsShape,
  ...clusterAccessShape,
  clusterName: clusterName.optional(),
  clusterNamespace: agentArgumentsShape.clusterNamespace.optional(),
  labels: agentArgumentsShape.clusterLabels,
  syncMode: agentArgumentsShape.syncMode,
  parentUrl: agentArgumentsShape.parentUrl,
  parentCaPem: agentArgumentsShape.parentCaPem,
  bootstrapSecret: known(
    z.string().min(BOOTSTRAP_SECRET_LENGTH_MIN, `Must have at least ${String(BOOTSTRAP_SECRET_LENGTH_MIN)} characters`),
  ),
  fleet: z.string().min(1).optional(),
  validFor: z
    .string()
    .refine((text) => duration.safeParse(text).success, "Must be a duration such as 30m or 24h")
    .optional(),
  deployerClusterRole: agentArgumentsShape.deployerClusterRole,
  predictorPort: agentArgumentsShape.predictorPort,
} as const;

/**
 * The component's own provider is the parent; `provider` or `kubeconfig` in the arguments is the child. Its removal deregisters the
 * child first, which removes what was delivered to it, and then uninstalls the agent.
 */
export class ChildCluster extends pulumi.ComponentResource {
  readonly clusterName: string;
  /** Where this child's Localizations live. */
  readonly clusterNamespace: string;
  readonly resources: readonly pulumi.CustomResource[];

  constructor(name: string, args: ChildClusterArgs, options: pulumi.ComponentResourceOptions) {
    const schema = z.strictObject(childClusterArgumentsShape).refine(hasOneAccess, ONE_OF_ACCESS);
    checkArguments(`ChildCluster ${name}`, schema, { ...args, clusterName: args.clusterName ?? name });
    super("clusternet:index:ChildCluster", name, { clusterName: args.clusterName ?? name, labels: args.labels }, options);
    this.clusterName = args.clusterName ?? name;
    this.clusterNamespace = args.clusterNamespace ?? `clusternet-${this.clusterName}`;
    const token = tokenOf(this.clusterName, args);
    const child = {
      namespace: args.namespace ?? INSTALL_DEFAULTS.namespace,
      clusterName: this.clusterName,
      clusterNamespace: this.clusterNamespace,
      clusterLabels: args.labels ?? {},
      syncMode: args.syncMode ?? "Pull",
      ...(args.validFor === undefined ? {} : { validFor: args.validFor }),
      tokenId: token.id,
      tokenSecret: token.secret,
    } as const;
    const parent = { parent: this, provider: requireProvider(this, `ChildCluster ${name}`), dependsOn: dependenciesOf(options) };
    const prepared = createStages(name, [[childNamespaceObject(child), bootstrapTokenObject(child)]], parent);
    const agent = new Agent(`${name}-agent`, agentArgs(args, { ...child, token: token.text }), {
      parent: this,
      provider: providerOf(`${name}-child`, args, this),
      dependsOn: [...parent.dependsOn, ...prepared],
    });
    // The grant comes last and goes first: its deletion deregisters the child while its agent is still there to clean up.
    const grant = createObject(name, joinGrantObject(child), { ...parent, dependsOn: [...prepared, ...agent.resources] });
    this.resources = [...prepared, ...agent.resources, grant];
    this.registerOutputs({ clusterName: this.clusterName, clusterNamespace: this.clusterNamespace });
  }
}

interface Token {
  readonly id: string;
  readonly secret: pulumi.Output<string>;
  readonly text: pulumi.Output<string>;
}

function tokenOf(name: string, { bootstrapSecret, fleet = "fleet" }: ChildClusterArgs): Token {
  const identity = { fleet, clusterName: name };
  const id = bootstrapTokenId(identity);
  const secret = pulumi.secret(bootstrapSecret).apply((root) => bootstrapTokenSecret(root, identity));
  return { id, secret, text: pulumi.interpolate`${id}.${secret}` };
}

function agentArgs(
  args: ChildClusterArgs,
  child: {
    readonly clusterName: string;
    readonly clusterNamespace: string;
    readonly syncMode: SyncMode;
    readonly token: pulumi.Output<string>;
  },
): ConstructorParameters<typeof Agent>[1] {
  const { labels, parentUrl, parentCaPem, deployerClusterRole, predictorPort } = args;
  const { namespace, image, imagePullPolicy, replicas, logLevel, resources, extraArgs } = args;
  const all = {
    namespace,
    image,
    imagePullPolicy,
    replicas,
    logLevel,
    resources,
    extraArgs,
    parentUrl,
    parentCaPem,
    deployerClusterRole,
    predictorPort,
    clusterLabels: labels,
    clusterName: child.clusterName,
    clusterNamespace: child.clusterNamespace,
    syncMode: child.syncMode,
    registrationToken: child.token,
  };
  return withoutUndefined(all);
}
