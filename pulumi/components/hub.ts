// The hub in a parent cluster: its Deployment, Service and APIService.

import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { hubStages } from "#install/parent.ts";
import { checkArguments, componentArgumentsShape } from "./arguments.ts";
import { requireProvider } from "./cluster.ts";
import { componentInstall, type ComponentArgs } from "./component-args.ts";
import { createStages, dependenciesOf } from "./objects.ts";

export interface HubArgs extends ComponentArgs {
  /** Port of the hub's Service. Default 443. */
  readonly servicePort?: number;
}

const hubArgumentsShape = { ...componentArgumentsShape, servicePort: z.int().min(1).max(65_535).optional() } as const;

/** The aggregated API server that children's tunnels end in. Done when its API answers through the parent. */
export class Hub extends pulumi.ComponentResource {
  readonly resources: readonly pulumi.CustomResource[];

  constructor(name: string, args: HubArgs, options: pulumi.ComponentResourceOptions) {
    checkArguments(`Hub ${name}`, z.strictObject(hubArgumentsShape), args);
    super("clusternet:index:Hub", name, args, options);
    const { servicePort } = args;
    const stages = hubStages({ ...componentInstall(args), ...(servicePort === undefined ? {} : { servicePort }) });
    this.resources = createStages(name, stages, {
      parent: this,
      provider: requireProvider(this, `Hub ${name}`),
      dependsOn: dependenciesOf(options),
    });
    this.registerOutputs({});
  }
}
