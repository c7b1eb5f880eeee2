// Everything of ours in one parent cluster: definitions, namespaces, roles, admission policies, hub, scheduler, controller-manager.

import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { INSTALL_DEFAULTS } from "#install/object.ts";
import { parentBaseStages } from "#install/parent.ts";
import { checkArguments, componentArgumentsShape, namespaceName } from "./arguments.ts";
import { requireProvider } from "./cluster.ts";
import type { ComponentArgs } from "./component-args.ts";
import { ControllerManager } from "./controller-manager.ts";
import { Crds } from "./crds.ts";
import { Hub } from "./hub.ts";
import { createStages, dependenciesOf } from "./objects.ts";
import { Scheduler, schedulerArgumentsShape, type SchedulerArgs } from "./scheduler.ts";

export interface ControlPlaneArgs extends ComponentArgs {
  /** Where templates are kept. Default `clusternet-reserved`. */
  readonly reservedNamespace?: string;
  /** Port of the hub's Service. Default 443. */
  readonly hubServicePort?: number;
  /** Default true: a child with a grant joins without a person. */
  readonly autoApprove?: boolean;
  /** Profiles and plugins of the scheduler. */
  readonly scheduler?: Omit<SchedulerArgs, "instance" | keyof ComponentArgs>;
  /** `keep` (the default) leaves our CustomResourceDefinitions in the cluster on destroy; `delete` removes them. */
  readonly crdsOnDestroy?: "keep" | "delete";
}

export const controlPlaneArgumentsShape = {
  ...componentArgumentsShape,
  reservedNamespace: namespaceName.optional(),
  hubServicePort: z.int().min(1).max(65_535).optional(),
  autoApprove: z.boolean().optional(),
  // A further one, with a name of its own, is a Scheduler beside the control plane.
  scheduler: z.strictObject(schedulerArgumentsShape).omit({ instance: true }).optional(),
  crdsOnDestroy: z.enum(["keep", "delete"]).optional(),
} as const;

/** A parent cluster that children can join. Done when hub, scheduler and controller-manager are Ready and the hub's API answers. */
export class ControlPlane extends pulumi.ComponentResource {
  /** Everything that was created; what belongs to the fleet depends on these, so that it is removed before them. */
  readonly resources: readonly pulumi.CustomResource[];

  constructor(name: string, args: ControlPlaneArgs, options: pulumi.ComponentResourceOptions) {
    checkArguments(`ControlPlane ${name}`, z.strictObject(controlPlaneArgumentsShape), args);
    super("clusternet:index:ControlPlane", name, args, options);
    const provider = requireProvider(this, `ControlPlane ${name}`);
    const { reservedNamespace, hubServicePort, autoApprove, crdsOnDestroy, scheduler: schedulerArgs, ...component } = args;
    const namespaces = {
      namespace: args.namespace ?? INSTALL_DEFAULTS.namespace,
      reservedNamespace: reservedNamespace ?? INSTALL_DEFAULTS.reservedNamespace,
    };
    const crds = new Crds(`${name}-crds`, crdsOnDestroy === undefined ? {} : { onDestroy: crdsOnDestroy }, {
      parent: this,
      dependsOn: [...dependenciesOf(options)],
    });
    const base = createStages(name, parentBaseStages(namespaces), { parent: this, provider, dependsOn: crds.resources });
    const inside = { parent: this, dependsOn: [...crds.resources, ...base] };
    const hub = new Hub(
      `${name}-hub`,
      hubServicePort === undefined ? component : { ...component, servicePort: hubServicePort },
      inside,
    );
    const scheduler = new Scheduler(`${name}-scheduler`, { ...component, ...schedulerArgs }, inside);
    const controllerManager = new ControllerManager(
      `${name}-controller-manager`,
      {
        ...component,
        reservedNamespace: namespaces.reservedNamespace,
        ...(autoApprove === undefined ? {} : { autoApprove }),
      },
      inside,
    );
    const parts = [hub, scheduler, controllerManager].flatMap(({ resources }) => resources);
    this.resources = [...crds.resources, ...base, ...parts];
    this.registerOutputs({});
  }
}
