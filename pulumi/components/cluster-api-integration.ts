// The Cluster API integration in a parent cluster.

import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { clusterApiIntegrationStages } from "#install/cluster-api-integration.ts";
import { agentArgumentsShape } from "./agent.ts";
import { checkArguments, componentArgumentsShape } from "./arguments.ts";
import { requireProvider } from "./cluster.ts";
import { componentInstall, type ComponentArgs } from "./component-args.ts";
import { createStages, dependenciesOf } from "./objects.ts";

export interface ClusterApiIntegrationArgs extends ComponentArgs {
  /** `https://host:port` of the parent, as workload clusters reach it. */
  readonly parentUrl: pulumi.Input<string>;
  /** PEM of the authority that signed the parent's certificate. */
  readonly parentCaPem?: pulumi.Input<string>;
}

/** Makes the clusters of Cluster API join by themselves. Its removal deregisters them and removes their agents first. */
export class ClusterApiIntegration extends pulumi.ComponentResource {
  readonly resources: readonly pulumi.CustomResource[];

  constructor(name: string, args: ClusterApiIntegrationArgs, options: pulumi.ComponentResourceOptions) {
    const { parentUrl, parentCaPem } = agentArgumentsShape;
    checkArguments(`ClusterApiIntegration ${name}`, z.strictObject({ ...componentArgumentsShape, parentUrl, parentCaPem }), args);
    super("clusternet:index:ClusterApiIntegration", name, args, options);
    const stages = clusterApiIntegrationStages({
      ...componentInstall(args),
      parentUrl: args.parentUrl,
      ...(args.parentCaPem === undefined ? {} : { parentCaPem: args.parentCaPem }),
    });
    const provider = requireProvider(this, `ClusterApiIntegration ${name}`);
    this.resources = createStages(name, stages, { parent: this, provider, dependsOn: dependenciesOf(options) });
    this.registerOutputs({});
  }
}
