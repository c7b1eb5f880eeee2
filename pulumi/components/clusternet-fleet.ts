// A whole fleet: one parent, its children, and what runs on them.

import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { checkArguments, componentArgumentsShape, known, withoutUndefined } from "./arguments.ts";
import { ChildCluster, childClusterArgumentsShape, type ChildClusterArgs } from "./child-cluster.ts";
import { clusterAccessShape, hasOneAccess, ONE_OF_ACCESS, providerOf, serverOf, type ClusterAccess } from "./cluster.ts";
import { ClusterApiIntegration } from "./cluster-api-integration.ts";
import type { ComponentArgs } from "./component-args.ts";
import { ControlPlane, controlPlaneArgumentsShape, type ControlPlaneArgs } from "./control-plane.ts";
import type { ExplainedValue } from "#pulumi/explain-value.ts";
import { explainInFleet, type FleetQuestion } from "./fleet-explanation.ts";
import { deliver, deliveryArgumentsShape, refuseNamesakes, type DeliveryArgs } from "./fleet-delivery.ts";
import type { Subscription } from "./kinds.ts";
import { showPlacement } from "./placement-preview.ts";
import { showProgress } from "./progress.ts";

export interface FleetParentArgs extends ClusterAccess {
  /** `https://host:port` of the parent, as its children reach it. Default: the server of `kubeconfig`. */
  readonly url?: pulumi.Input<string>;
  /** PEM of the authority that signed the parent's certificate. Default: the one in `kubeconfig`. */
  readonly caPem?: pulumi.Input<string>;
}

export type FleetChildArgs = { readonly name: string; readonly clusterNamespace?: string } & ClusterAccess &
  Pick<ChildClusterArgs, "labels" | "syncMode" | "validFor" | "deployerClusterRole" | "predictorPort" | "extraArgs">;

export interface ClusternetFleetArgs extends ComponentArgs, DeliveryArgs {
  readonly parent: FleetParentArgs;
  readonly children: readonly FleetChildArgs[];
  /** Root of every child's bootstrap token, at least 16 characters; keep it in a secret config value. */
  readonly bootstrapSecret: pulumi.Input<string>;
  /** True: clusters of Cluster API on the parent join by themselves. */
  readonly clusterApi?: boolean;
  readonly hubServicePort?: number;
  readonly autoApprove?: boolean;
  readonly crdsOnDestroy?: "keep" | "delete";
  /** Profiles and plugins of the scheduler. */
  readonly scheduler?: ControlPlaneArgs["scheduler"];
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
  validFor,
  deployerClusterRole,
  predictorPort,
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
    validFor,
    deployerClusterRole,
    predictorPort,
    extraArgs,
  })
  .refine(hasOneAccess, ONE_OF_ACCESS);

const fleetSchema = z
  .strictObject({
    ...componentArgumentsShape,
    reservedNamespace: controlPlaneArgumentsShape.reservedNamespace,
    hubServicePort: controlPlaneArgumentsShape.hubServicePort,
    autoApprove: controlPlaneArgumentsShape.autoApprove,
    crdsOnDestroy: controlPlaneArgumentsShape.crdsOnDestroy,
    scheduler: controlPlaneArgumentsShape.scheduler,
    parent: parentSchema,
    children: z.array(childSchema),
    bootstrapSecret: childClusterArgumentsShape.bootstrapSecret,
    ...deliveryArgumentsShape,
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

export class ClusternetFleet extends pulumi.ComponentResource {
  readonly controlPlane: ControlPlane;
  readonly children: readonly ChildCluster[];
  readonly parentProvider: k8s.Provider;
  readonly subscriptions: readonly InstanceType<typeof Subscription>[];
  readonly #args: ClusternetFleetArgs;

  constructor(name: string, args: ClusternetFleetArgs, options: pulumi.ComponentResourceOptions = {}) {
    checkArguments(`ClusternetFleet ${name}`, fleetSchema, args);
    refuseNamesakes(name, args.templates ?? []);
    super("clusternet:index:ClusternetFleet", name, { children: args.children.map((child) => child.name) }, options);
    this.#args = args;
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
    const shown = this.#show(args, joined);
    const outputs = { children: this.children.map(({ clusterName }) => clusterName) };
    // The program ends when its outputs are there: in a preview not before everything is shown.
    this.registerOutputs(shown === undefined ? outputs : shown.then(() => outputs));
  }

  /**
   * Why a field of a template will have its value in one child, from the fleet's own overrides; it works in a preview. HelmCharts are no
   * templates of a fleet: `clusternet.explainValue` takes one with whatever is said about it.
   */
  explainValue({ child, template, path }: FleetQuestion): pulumi.Output<ExplainedValue> {
    return explainInFleet(this.#args, { child, template, path, children: this.children });
  }

  /** Only a kubeconfig can be asked from here; what a provider of the user's own is configured with, the provider alone knows. */
  #show({ parent, subscriptions = [] }: ClusternetFleetArgs, after: readonly pulumi.Resource[]): Promise<unknown> | undefined {
    const { kubeconfig, context } = parent;
    if (kubeconfig === undefined || subscriptions.length === 0) return undefined;
    const options = { kubeconfig, ...(context === undefined ? {} : { context }), shownWith: this };
    if (pulumi.runtime.isDryRun())
      return Promise.all(this.subscriptions.map((subscription) => showPlacement(subscription, options)));
    this.subscriptions.forEach((subscription, index) => {
      if ((subscriptions[index]?.waitFor ?? []).length > 0) showProgress(subscription, { ...options, after });
    });
    return undefined;
  }
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
  const { reservedNamespace, hubServicePort, autoApprove, crdsOnDestroy, scheduler } = args;
  const own = withoutUndefined({ reservedNamespace, hubServicePort, autoApprove, crdsOnDestroy, scheduler });
  return { ...componentArgs(args), ...own };
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
