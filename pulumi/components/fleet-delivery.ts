// What a fleet delivers: pull secrets of charts, templates, overrides and Subscriptions, created in this order and removed in the opposite one.

import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import type { Globalization as GlobalizationKind } from "#api/apps/v1alpha1/globalization.ts";
import type { Localization as LocalizationKind } from "#api/apps/v1alpha1/localization.ts";
import type { Subscription as SubscriptionKind } from "#api/apps/v1alpha1/subscription.ts";
import type { InputOf } from "#api/define-kind.ts";
import { manifestObject } from "#install/manifest.ts";
import { INSTALL_DEFAULTS, type InstallObject } from "#install/object.ts";
import { namespaceName, withoutUndefined } from "./arguments.ts";
import {
  ChartPullSecret,
  chartPullSecretArgumentsShape,
  CREDENTIAL_IS_WHOLE,
  hasWholeCredential,
  type ChartPullSecretArgs,
} from "./chart-pull-secret.ts";
import type { ChildCluster } from "./child-cluster.ts";
import { Globalization, Localization, Manifest, Subscription, type DeepInput } from "./kinds.ts";
import { templateManifest, templateObjects, TemplateSchema, type Template } from "./templates.ts";

export interface FleetSubscriptionArgs {
  readonly name: string;
  /** Default `default`. */
  readonly namespace?: string;
  readonly spec: DeepInput<InputOf<typeof SubscriptionKind>["spec"]>;
  /** States that `pulumi up` waits for, such as `condition=Available`. */
  readonly waitFor?: readonly string[];
}

export interface FleetGlobalizationArgs {
  readonly name: string;
  readonly spec: DeepInput<InputOf<typeof GlobalizationKind>["spec"]>;
}

export interface FleetLocalizationArgs {
  readonly name: string;
  /** Name of the child that it applies to. */
  readonly child: string;
  readonly spec: DeepInput<InputOf<typeof LocalizationKind>["spec"]>;
}

/** A private chart repository; its HelmCharts are resources of their own (`clusternet.HelmChart`). */
export type FleetChartPullSecretArgs = { readonly name: string } & Omit<ChartPullSecretArgs, "secretName" | "systemNamespace">;

export interface DeliveryArgs {
  /** Credentials of private chart repositories, in namespaces that are there. */
  readonly chartPullSecrets?: readonly FleetChartPullSecretArgs[];
  /** What can be delivered: objects, YAML text, or arguments as of @pulumi/kubernetes. */
  readonly templates?: readonly Template[];
  readonly subscriptions?: readonly FleetSubscriptionArgs[];
  readonly globalizations?: readonly FleetGlobalizationArgs[];
  readonly localizations?: readonly FleetLocalizationArgs[];
  /** Where templates are kept. Default `clusternet-reserved`. */
  readonly reservedNamespace?: string;
}

const named = { name: z.string().min(1), spec: z.custom<object>((value) => value !== undefined, "Is required") } as const;
const { secretName: _secretName, systemNamespace: _systemNamespace, ...pullSecretShape } = chartPullSecretArgumentsShape;

export const deliveryArgumentsShape = {
  chartPullSecrets: z
    .array(z.strictObject({ name: z.string().min(1), ...pullSecretShape }).refine(hasWholeCredential, CREDENTIAL_IS_WHOLE))
    .optional(),
  templates: z.array(TemplateSchema).optional(),
  subscriptions: z
    .array(z.strictObject({ ...named, namespace: namespaceName.optional(), waitFor: z.array(z.string()).optional() }))
    .optional(),
  globalizations: z.array(z.strictObject(named)).optional(),
  localizations: z.array(z.strictObject({ ...named, child: z.string() })).optional(),
} as const;

/** The same object twice, or one resource name of two API groups: the second would overwrite the first. */
export function refuseNamesakes(fleet: string, templates: readonly Template[]): void {
  const names = templateObjects(templates).map((template) => manifestObject(template, { reservedNamespace: "" }).metadata.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new pulumi.RunError(
    `ClusternetFleet ${fleet} has arguments that cannot work:\n  templates: Two of them would be stored as ${twice}: ` +
      "a parent has one place for objects of one resource and name",
  );
}

/** Templates, overrides and Subscriptions, in this order: removed in the opposite one, so that nothing is left without its feed. */
export function deliver(
  fleet: string,
  args: DeliveryArgs & { readonly namespace?: string },
  place: {
    readonly parent: pulumi.Resource;
    readonly provider: k8s.Provider;
    readonly joined: readonly pulumi.Resource[];
    readonly children: readonly ChildCluster[];
  },
): readonly InstanceType<typeof Subscription>[] {
  const { parent, provider, joined, children } = place;
  const reservedNamespace = args.reservedNamespace ?? INSTALL_DEFAULTS.reservedNamespace;
  const subscriptions = args.subscriptions ?? [];
  const pullSecrets = (args.chartPullSecrets ?? []).flatMap(({ name, ...secret }) => {
    const all = { ...secret, secretName: name, ...withoutUndefined({ systemNamespace: args.namespace }) };
    return new ChartPullSecret(`${fleet}-${name}`, all, { parent, provider, dependsOn: [...joined] }).resources;
  });
  const templates = templateObjects(args.templates ?? []).map((template) => {
    const allowSubscriptionsFrom = namespacesThatUse(subscriptions, template.metadata.namespace);
    const manifest = templateManifest(template, { reservedNamespace, allowSubscriptionsFrom });
    return new Manifest(`${fleet}-${manifest.metadata.name}`, manifestArgs(manifest), {
      parent,
      provider,
      dependsOn: [...joined],
    });
  });
  const afterTemplates = { parent, provider, dependsOn: [...joined, ...templates] };
  const globalizations = (args.globalizations ?? []).map(
    ({ name, spec }) => new Globalization(`${fleet}-${name}`, { metadata: { name }, spec }, afterTemplates),
  );
  const localizations = (args.localizations ?? []).map(({ name, child, spec }) => {
    const namespace = children.find(({ clusterName }) => clusterName === child)?.clusterNamespace ?? "";
    return new Localization(`${fleet}-${child}-${name}`, { metadata: { name, namespace }, spec }, afterTemplates);
  });
  const dependsOn = [...joined, ...pullSecrets, ...templates, ...globalizations, ...localizations];
  return subscriptions.map(
    ({ name, namespace = "default", spec, waitFor }) =>
      new Subscription(
        `${fleet}-${name}`,
        { metadata: { name, namespace }, spec, ...(waitFor === undefined ? {} : { waitFor }) },
        { parent, provider, dependsOn },
      ),
  );
}

function manifestArgs(manifest: InstallObject): ConstructorParameters<typeof Manifest>[1] {
  const { metadata, template } = manifest as InstallObject & { readonly template: Record<string, unknown> };
  return { metadata, template };
}

/** A program that owns both may feed its Subscriptions from other namespaces: it grants them to itself, and to nobody else. */
function namespacesThatUse(
  subscriptions: readonly FleetSubscriptionArgs[],
  templateNamespace: string | undefined,
): readonly string[] {
  const namespaces = subscriptions
    .map(({ namespace = "default" }) => namespace)
    .filter((namespace) => namespace !== templateNamespace);
  return [...new Set(namespaces)].sort();
}
