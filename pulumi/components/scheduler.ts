// The scheduler in a parent cluster.

import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { schedulerStages } from "#install/parent.ts";
import { checkArguments, componentArgumentsShape } from "./arguments.ts";
import { requireProvider } from "./cluster.ts";
import { componentInstall, type ComponentArgs } from "./component-args.ts";
import { createStages, dependenciesOf } from "./objects.ts";

export type SchedulerArgs = ComponentArgs;

/** Decides which clusters a Subscription is bound to. Done when its Deployment is Ready. */
export class Scheduler extends pulumi.ComponentResource {
  readonly resources: readonly pulumi.CustomResource[];

  constructor(name: string, args: SchedulerArgs, options: pulumi.ComponentResourceOptions) {
    checkArguments(`Scheduler ${name}`, z.strictObject(componentArgumentsShape), args);
    super("clusternet:index:Scheduler", name, args, options);
    const provider = requireProvider(this, `Scheduler ${name}`);
    this.resources = createStages(name, schedulerStages(componentInstall(args)), {
      parent: this,
      provider,
      dependsOn: dependenciesOf(options),
    });
    this.registerOutputs({});
  }
}
