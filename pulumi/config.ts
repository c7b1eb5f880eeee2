// Stack configuration -> the arguments of a ClusternetFleet. What a program can say in code, a stack can say in settings.

import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { toError } from "#std/errors.ts";
import { checkArguments, withoutUndefined } from "#pulumi/components/arguments.ts";
import type { ClusternetFleetArgs } from "#pulumi/components/clusternet-fleet.ts";
import type { FleetSubscriptionArgs } from "#pulumi/components/fleet-delivery.ts";

const childSchema = z.strictObject({
  name: z.string(),
  /** Path of a kubeconfig. */
  kubeconfig: z.string(),
  context: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  syncMode: z.enum(["Pull", "Push", "Dual"]).optional(),
  validFor: z.string().optional(),
});

const settingsSchema = z.object({
  parent: z.strictObject({ kubeconfig: z.string(), context: z.string().optional(), url: z.url().optional() }),
  children: z.array(childSchema).default([]),
  /** Paths of YAML files with what can be delivered. */
  templates: z.array(z.string()).default([]),
  subscriptions: z
    .array(z.strictObject({ name: z.string(), namespace: z.string().optional(), spec: z.looseObject({}) }))
    .default([]),
  image: z.string().optional(),
  hubServicePort: z.int().optional(),
  clusterApi: z.boolean().optional(),
  crdsOnDestroy: z.enum(["keep", "delete"]).optional(),
});

/**
 * Reads `clusternet:parent`, `clusternet:children`, `clusternet:templates`, `clusternet:subscriptions`, `clusternet:image`,
 * `clusternet:hubServicePort`, `clusternet:clusterApi`, `clusternet:crdsOnDestroy` and the secret `clusternet:bootstrapSecret`.
 */
export function fleetFromConfig(config: pulumi.Config): ClusternetFleetArgs {
  const raw = Object.fromEntries(
    Object.keys(settingsSchema.shape).flatMap((key) => {
      const value: unknown = readSetting(config, key);
      return value === undefined ? [] : [[key, value]];
    }),
  );
  checkArguments("The stack's configuration", settingsSchema, raw);
  const { parent, children, templates, subscriptions, ...plain } = settingsSchema.parse(raw);
  return {
    ...withoutUndefined(plain),
    parent: { ...withoutUndefined(parent), kubeconfig: readSettingFile("parent.kubeconfig", parent.kubeconfig) },
    children: children.map((child, index) => ({
      ...withoutUndefined(child),
      name: child.name,
      kubeconfig: readSettingFile(`children[${String(index)}].kubeconfig`, child.kubeconfig),
    })),
    bootstrapSecret: config.requireSecret("bootstrapSecret"),
    templates: templates.map((path, index) => readSettingFile(`templates[${String(index)}]`, path)),
    // The Subscription's own schema checks the spec, with the argument's path in the message.
    subscriptions: subscriptions.map((subscription) => withoutUndefined(subscription) as unknown as FleetSubscriptionArgs),
  };
}

function readSettingFile(setting: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new pulumi.RunError(`The stack's configuration cannot work:\n  ${setting}: ${toError(error).message}`);
  }
}

function readSetting(config: pulumi.Config, key: string): unknown {
  const text = config.get(key);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
