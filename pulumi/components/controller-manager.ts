// The controller-manager in a parent cluster.

import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { INSTALL_DEFAULTS } from "#install/object.ts";
import { controllerManagerStages } from "#install/parent.ts";
import { checkArguments, componentArgumentsShape, namespaceName } from "./arguments.ts";
import { requireProvider } from "./cluster.ts";
import { componentInstall, type ComponentArgs } from "./component-args.ts";
import { createStages, dependenciesOf } from "./objects.ts";

export interface ControllerManagerArgs extends ComponentArgs {
  /** Where templates are kept. Default `clusternet-reserved`. */
  readonly reservedNamespace?: string;
  /** Default true: a child with a grant joins without a person. False: an administrator approves each one. */
  readonly autoApprove?: boolean;
}

const controllerManagerArgumentsShape = {
  ...componentArgumentsShape,
  reservedNamespace: namespaceName.optional(),
  autoApprove: z.boolean().optional(),
} as const;

/** Registers children and turns bound Subscriptions into what each child applies. Done when its Deployment is Ready. */
export class ControllerManager extends pulumi.ComponentResource {
  readonly resources: readonly pulumi.CustomResource[];

  constructor(name: string, args: ControllerManagerArgs, options: pulumi.ComponentResourceOptions) {
    checkArguments(`ControllerManager ${name}`, z.strictObject(controllerManagerArgumentsShape), args);
    super("clusternet:index:ControllerManager", name, args, options);
    const stages = controllerManagerStages({
      ...componentInstall(args),
      reservedNamespace: args.reservedNamespace ?? INSTALL_DEFAULTS.reservedNamespace,
      ...(args.autoApprove === undefined ? {} : { autoApprove: args.autoApprove }),
    });
    this.resources = createStages(name, stages, {
      parent: this,
      provider: requireProvider(this, `ControllerManager ${name}`),
      dependsOn: dependenciesOf(options),
    });
    this.registerOutputs({});
  }
}
