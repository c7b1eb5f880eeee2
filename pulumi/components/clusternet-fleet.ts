// A whole fleet: one parent, its children, and what runs on them.

import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import type { InputOf } from "#api/define-kind.ts";
import type { Globalization as GlobalizationKind } from "#api/apps/v1alpha1/globalization.ts";
import type { Localization as LocalizationKind } from "#api/apps/v1alpha1/localization.ts";
import type { Subscription as SubscriptionKind } from "#api/apps/v1alpha1/subscription.ts";
import { manifestObject } from "#install/manifest.ts";
import { INSTALL_DEFAULTS, type InstallObject } from "#install/object.ts";
import { checkArguments, componentArgumentsShape, known, namespaceName, withoutUndefined } from "./arguments.ts";
import { ChildCluster, childClusterArgumentsShape, type ChildClusterArgs } from "./child-cluster.ts";
import { clusterAccessShape, hasOneAccess, ONE_OF_ACCESS, providerOf, serverOf, type ClusterAccess } from "./cluster.ts";
import { ClusterApiIntegration } from "./cluster-api-integration.ts";
import type { ComponentArgs } from "./component-args.ts";
import { ControlPlane, controlPlaneArgumentsShape } from "./control-plane.ts";
import { Globalization, Localization, Manifest, Subscription, type DeepInput } from "./kinds.ts";
import { templateManifest, templateObjects, TemplateSchema, type Template } from "./templates.ts";

export interface FleetParentArgs extends ClusterAccess {
  /** `https://host:port` of the parent, as its children reach it. Default: the server of `kubeconfig`. */
  readonly url?: pulumi.Input<string>;
  /** PEM of the authority that signed the parent's certificate. Default: the one in `kubeconfig`. */
  readonly caPem?: pulumi.Input<string>;
}

export type FleetChildArgs = { readonly name: string; readonly clusterNamespace?: string } & ClusterAccess &
  Pick<ChildClusterArgs, "labels" | "syncMode" | "deployerClusterRole" | "extraArgs">;

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

export interface ClusternetFleetArgs extends ComponentArgs {
  readonly parent: FleetParentArgs;
  readonly children: readonly FleetChildArgs[];
  /** Root of every child's bootstrap token, at least 16 characters; keep it in a secret config value. */
  readonly bootstrapSecret: pulumi.Input<string>;
  /** What can be delivered: objects, YAML text, or arguments as of @pulumi/kubernetes. */
  readonly templates?: readonly Template[];
  readonly subscriptions?: readonly FleetSubscriptionArgs[];
  readonly globalizations?: readonly FleetGlobalizationArgs[];
  readonly localizations?: readonly FleetLocalizationArgs[];
  /** True: clusters of Cluster API on the parent join by themselves. */
  readonly clusterApi?: boolean;
  readonly reservedNamespace?: string;
  readonly hubServicePort?: number;
  readonly autoApprove?: boolean;
  readonly crdsOnDestroy?: "keep" | "delete";
}

const parentSchema = z
  .strictObject({
    ...clusterAccessShape,
    url: known(z.url({ protocol: /^https$/ })).optional(),
    caPem: known(z.string()).optional(),
  })
  .refine(hasOneAccess, ONE_OF_ACCESS)
  .refine(({ kubeconfig, url }) => kubeconfig !== undefined || url !== undefined, {
    path: ["url"],
    message: "Is required with provider: children must be told where the parent is",
  });

const {
  clusterName: _clusterName,
  labels,
  syncMode,
  deployerClusterRole,
  extraArgs,
  clusterNamespace,
} = childClusterArgumentsShape;
const childSchema = z
  .strictObject({
    name: z.string().min(1),
    clusterNamespace,
    ...clusterAccessShape,
    labels,
    syncMode,
    deployerClusterRole,
    extraArgs,
  })
  .refine(hasOneAccess, ONE_OF_ACCESS);

const named = { name: z.string().min(1), spec: z.custom<object>((value) => value !== undefined, "Is required") } as const;

const fleetSchema = z
  .strictObject({
    ...componentArgumentsShape,
    reservedNamespace: controlPlaneArgumentsShape.reservedNamespace,
    hubServicePort: controlPlaneArgumentsShape.hubServicePort,
    autoApprove: controlPlaneArgumentsShape.autoApprove,
    crdsOnDestroy: controlPlaneArgumentsShape.crdsOnDestroy,
    parent: parentSchema,
    children: z.array(childSchema),
    bootstrapSecret: childClusterArgumentsShape.bootstrapSecret,
    templates: z.array(TemplateSchema).optional(),
    subscriptions: z
      .array(z.strictObject({ ...named, namespace: namespaceName.optional(), waitFor: z.array(z.string()).optional() }))
      .optional(),
    globalizations: z.array(z.strictObject(named)).optional(),
    localizations: z.array(z.strictObject({ ...named, child: z.string() })).optional(),
    clusterApi: z.boolean().optional(),
  })
  .superRefine(({ children, localizations = [] }, context) => {
    const names = children.map(({ name }) => name);
    names.forEach((name, index) => {
      if (names.indexOf(name) !== index) {
        context.addIssue({
          code: "custom",
          path: ["children", index, "name"],
          message: `${name} is the name of another child: choose one of its own`,
        });
      }
    });
    localizations.forEach(({ child }, index) => {
      if (!names.includes(child)) {
        const message = `There is no child ${JSON.stringify(child)}: it must be one of ${names.join(", ")}`;
        context.addIssue({ code: "custom", path: ["localizations", index, "child"], message });
      }
    });
  });

/** The same object twice, or one resource name of two API groups: the second would overwrite the first. */
function refuseNamesakes(fleet: string, templates: readonly Template[]): void {
  const names = templateObjects(templates).map((template) => manifestObject(template, { reservedNamespace: "" }).metadata.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new pulumi.RunError(
    `ClusternetFleet ${fleet} has arguments that cannot work:\n  templates: Two of them would be stored as ${twice}: ` +
      "a parent has one place for objects of one resource and name",
  );
}

export class ClusternetFleet extends pulumi.ComponentResource {
  readonly controlPlane: ControlPlane;
  readonly children: readonly ChildCluster[];
  readonly parentProvider: k8s.Provider;
  readonly subscriptions: readonly InstanceType<typeof Subscription>[];

  constructor(name: string, args: ClusternetFleetArgs, options: pulumi.ComponentResourceOptions = {}) {
    checkArguments(`ClusternetFleet ${name}`, fleetSchema, args);
    refuseNamesakes(name, args.templates ?? []);
    super("clusternet:index:ClusternetFleet", name, { children: args.children.map((child) => child.name) }, options);
    this.parentProvider = providerOf(`${name}-parent`, args.parent, this);
    const inParent = { parent: this, provider: this.parentProvider };
    this.controlPlane = new ControlPlane(`${name}-control-plane`, controlPlaneArgs(args), inParent);
    const server = serverOfParent(args.parent);
    this.children = args.children.map(
      (child) =>
        new ChildCluster(`${name}-${child.name}`, childArgs(child, { fleet: name, args, server }), {
          ...inParent,
          dependsOn: [...this.controlPlane.resources],
        }),
    );
    const clusterApi =
      args.clusterApi === true
        ? [clusterApiIntegration(name, { args, server, place: inParent, after: this.controlPlane.resources })]
        : [];
    const joined = [
      ...this.controlPlane.resources,
      ...this.children.flatMap(({ resources }) => resources),
      ...clusterApi.flatMap(({ resources }) => resources),
    ];
    this.subscriptions = deliver(name, args, { ...inParent, joined, children: this.children });
    this.registerOutputs({ children: this.children.map(({ clusterName }) => clusterName) });
  }
}

/** Templates, overrides and Subscriptions, in this order: removed in the opposite one, so that nothing is left without its feed. */
function deliver(
  fleet: string,
  args: ClusternetFleetArgs,
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
  const dependsOn = [...joined, ...templates, ...globalizations, ...localizations];
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

interface Server {
  readonly url: pulumi.Output<string>;
  readonly caPem: pulumi.Output<string> | undefined;
}

function serverOfParent({ kubeconfig, context, url, caPem }: FleetParentArgs): Server {
  // With both given the kubeconfig is not asked, so it may say neither in a way that children understand.
  const fromKubeconfig =
    kubeconfig === undefined || (url !== undefined && caPem !== undefined)
      ? undefined
      : pulumi.output(kubeconfig).apply((text) => serverOf(text, context));
  return {
    url:
      url === undefined
        ? pulumi.unsecret(pulumi.output(fromKubeconfig).apply((server) => server?.url ?? ""))
        : pulumi.output(url),
    caPem:
      caPem !== undefined
        ? pulumi.output(caPem)
        : fromKubeconfig === undefined || (typeof kubeconfig === "string" && serverOf(kubeconfig, context).caPem === undefined)
          ? undefined
          : pulumi.unsecret(fromKubeconfig.apply((server) => server.caPem ?? "")),
  };
}

interface FleetContext {
  readonly fleet: string;
  readonly args: ClusternetFleetArgs;
  readonly server: Server;
}

function componentArgs({ namespace, image, imagePullPolicy, replicas, logLevel, resources }: ComponentArgs): ComponentArgs {
  return withoutUndefined({ namespace, image, imagePullPolicy, replicas, logLevel, resources });
}

function controlPlaneArgs(args: ClusternetFleetArgs): ConstructorParameters<typeof ControlPlane>[1] {
  const { reservedNamespace, hubServicePort, autoApprove, crdsOnDestroy } = args;
  return { ...componentArgs(args), ...withoutUndefined({ reservedNamespace, hubServicePort, autoApprove, crdsOnDestroy }) };
}

function childArgs({ name, ...child }: FleetChildArgs, { fleet, args, server }: FleetContext): ChildClusterArgs {
  return {
    ...componentArgs(args),
    ...child,
    fleet,
    clusterName: name,
    parentUrl: server.url,
    bootstrapSecret: args.bootstrapSecret,
    ...(server.caPem === undefined ? {} : { parentCaPem: server.caPem }),
  };
}

function clusterApiIntegration(
  fleet: string,
  {
    args,
    server,
    place,
    after,
  }: {
    readonly args: ClusternetFleetArgs;
    readonly server: Server;
    readonly place: { readonly parent: pulumi.Resource; readonly provider: k8s.Provider };
    readonly after: readonly pulumi.Resource[];
  },
): ClusterApiIntegration {
  return new ClusterApiIntegration(
    `${fleet}-cluster-api`,
    { ...componentArgs(args), parentUrl: server.url, ...(server.caPem === undefined ? {} : { parentCaPem: server.caPem }) },
    { ...place, dependsOn: [...after] },
  );
}
