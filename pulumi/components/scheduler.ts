// The scheduler in a parent cluster.

import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { SchedulerConfig, type SchedulerConfigInput } from "#api/scheduler-config.ts";
import { schedulerStages } from "#install/parent.ts";
import { checkArguments, componentArgumentsShape } from "./arguments.ts";
import { requireProvider } from "./cluster.ts";
import { componentInstall, type ComponentArgs } from "./component-args.ts";
import { createStages, dependenciesOf } from "./objects.ts";

export interface SchedulerArgs extends ComponentArgs {
  /**
   * Of a further scheduler beside the one without a name: its objects and its Lease are named `clusternet-scheduler-<instance>`. It needs
   * names of its own for its profiles (`config`), or the flag `--scheduler-name`.
   */
  readonly instance?: string;
  /** Profiles and their plugins (docs/contracts/scheduler-plugin.md). Default: one profile, called `default`, of the plugins that are built in. */
  readonly config?: SchedulerConfigInput;
  /** Files beside the configuration, such as the plugin modules that it names: their texts by file name. */
  readonly files?: Readonly<Record<string, string>>;
  /**
   * Secret in its namespace, for agents with a `predictorPort`: `tls.crt` and `tls.key` are what it shows them, `ca.crt` is who signs their
   * certificates. Default: every agent is asked through its tunnel.
   */
  readonly predictorSecretName?: string;
}

const FILE_NAME = /^[-._a-zA-Z0-9]+$/;

/** Such that names with it are names of Deployments. */
const INSTANCE = /^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/;

export const schedulerArgumentsShape = {
  instance: z.string().regex(INSTANCE, "Must be a short name: lower-case letters, digits and dashes").optional(),
  config: SchedulerConfig.optional(),
  files: z
    .record(z.string().regex(FILE_NAME, "Must be a plain file name: letters, digits, dots, dashes and underscores"), z.string())
    .optional(),
  predictorSecretName: z.string().min(1).optional(),
} as const;

/** Decides which clusters a Subscription is bound to. Done when its Deployment is Ready. */
export class Scheduler extends pulumi.ComponentResource {
  readonly resources: readonly pulumi.CustomResource[];

  constructor(name: string, args: SchedulerArgs, options: pulumi.ComponentResourceOptions) {
    checkArguments(`Scheduler ${name}`, z.strictObject({ ...componentArgumentsShape, ...schedulerArgumentsShape }), args);
    super("clusternet:index:Scheduler", name, args, options);
    const provider = requireProvider(this, `Scheduler ${name}`);
    this.resources = createStages(name, schedulerStages({ ...args, ...componentInstall(args) }), {
      parent: this,
      provider,
      dependsOn: dependenciesOf(options),
    });
    this.registerOutputs({});
  }
}
