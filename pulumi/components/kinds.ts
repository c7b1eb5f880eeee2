// Every kind we own as a typed Pulumi resource: `new clusternet.Subscription("web", { metadata, spec }, { provider })`.

import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { Base as BaseKind } from "#api/apps/v1alpha1/base.ts";
import { Description as DescriptionKind } from "#api/apps/v1alpha1/description.ts";
import { FeedInventory as FeedInventoryKind } from "#api/apps/v1alpha1/feed-inventory.ts";
import { Globalization as GlobalizationKind } from "#api/apps/v1alpha1/globalization.ts";
import { HelmChart as HelmChartKind } from "#api/apps/v1alpha1/helm-chart.ts";
import { HelmRelease as HelmReleaseKind } from "#api/apps/v1alpha1/helm-release.ts";
import { Localization as LocalizationKind } from "#api/apps/v1alpha1/localization.ts";
import { Manifest as ManifestKind } from "#api/apps/v1alpha1/manifest.ts";
import { Subscription as SubscriptionKind } from "#api/apps/v1alpha1/subscription.ts";
import { ClusterRegistrationRequest as ClusterRegistrationRequestKind } from "#api/clusters/v1beta1/cluster-registration-request.ts";
import { ManagedCluster as ManagedClusterKind } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { InputOf, Kind, KindOf } from "#api/define-kind.ts";
import type { Condition } from "#api/meta.ts";
import { checkArguments } from "./arguments.ts";

/** A value whose every part may be an output of another resource. */
export type DeepInput<T> = pulumi.Input<
  T extends readonly (infer TItem)[]
    ? readonly DeepInput<TItem>[]
    : T extends object
      ? { readonly [TKey in keyof T]: DeepInput<T[TKey]> }
      : T
>;

/** What a program writes: the kind's own fields, metadata, and what `pulumi up` waits for. */
export type KindArgs<TKind extends Kind> = {
  readonly [TField in Exclude<keyof InputOf<TKind>, "metadata">]: DeepInput<InputOf<TKind>[TField]>;
} & {
  readonly metadata: pulumi.Input<k8s.types.input.meta.v1.ObjectMeta>;
  /**
   * States that `pulumi up` waits for, such as `condition=Available` or `jsonpath={.status.desiredReleases}=2`; all must hold
   * within the resource's `customTimeouts` (default 10 minutes).
   */
  readonly waitFor?: readonly string[];
};

type KindResource<TKind extends Kind> = k8s.apiextensions.CustomResource & {
  readonly [TField in Exclude<keyof KindOf<TKind>, "metadata" | "apiVersion" | "kind">]: pulumi.Output<KindOf<TKind>[TField]>;
};

type KindClass<TKind extends Kind> = new (
  name: string,
  args: KindArgs<TKind>,
  options?: pulumi.CustomResourceOptions,
) => KindResource<TKind>;

/** One class per kind, all the same: the arguments are checked by the kind's own schema, then handed to the Kubernetes provider. */
function kindResource<TKind extends Kind>(kind: TKind): KindClass<TKind> {
  const resource = class extends k8s.apiextensions.CustomResource {
    constructor(name: string, { waitFor = [], metadata, ...fields }: KindArgs<TKind>, options?: pulumi.CustomResourceOptions) {
      checkKind(kind, name, fields);
      const { apiVersion } = kind;
      const object = { apiVersion, kind: kind.kind, metadata: withWaitFor(metadata, waitFor), ...fields };
      // An output exists from the start only if it is named, though it is no input.
      super(name, { ...object, status: undefined }, options);
    }
  };
  Object.defineProperty(resource, "name", { value: kind.kind });
  return resource as unknown as KindClass<TKind>;
}

export const Base = kindResource(BaseKind);
export const Description = kindResource(DescriptionKind);
export const FeedInventory = kindResource(FeedInventoryKind);
export const Globalization = kindResource(GlobalizationKind);
export const HelmChart = kindResource(HelmChartKind);
export const HelmRelease = kindResource(HelmReleaseKind);
export const Localization = kindResource(LocalizationKind);
export const Manifest = kindResource(ManifestKind);
export const Subscription = kindResource(SubscriptionKind);
export const ClusterRegistrationRequest = kindResource(ClusterRegistrationRequestKind);
export const ManagedCluster = kindResource(ManagedClusterKind);

/**
 * What a resource's status says of one condition, such as `Available`, once `pulumi up` is done with the resource; with `waitFor` that is
 * when it holds. undefined: nothing yet. `pulumi refresh` reads it anew.
 */
export function conditionOf(resource: WithConditions, type: string): pulumi.Output<ResourceCondition | undefined> {
  return resource.status.apply((status) => status?.conditions?.find((condition) => condition.type === type));
}

export type ResourceCondition = Readonly<Condition>;

interface WithConditions {
  readonly status: pulumi.Output<{ readonly conditions?: readonly ResourceCondition[] | undefined } | undefined>;
}

export type GlobalizationArgs = KindArgs<typeof GlobalizationKind>;
export type LocalizationArgs = KindArgs<typeof LocalizationKind>;
export type SubscriptionArgs = KindArgs<typeof SubscriptionKind>;

/** Fields that hold an output cannot be checked before it is known; the parent's API server checks them. */
function checkKind(kind: Kind, name: string, fields: Readonly<Record<string, unknown>>): void {
  const shape = Object.fromEntries(
    Object.entries(kind.fields).filter(([field]) => field !== "status" && !holdsOutput(fields[field])),
  );
  const given = Object.fromEntries(Object.keys(shape).map((field) => [field, fields[field]]));
  checkArguments(`${kind.kind} ${name}`, z.object(shape), given);
}

function holdsOutput(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if ("apply" in value || value instanceof Promise) return true;
  return Object.values(value).some(holdsOutput);
}

function withWaitFor(
  metadata: pulumi.Input<k8s.types.input.meta.v1.ObjectMeta>,
  waitFor: readonly string[],
): pulumi.Input<k8s.types.input.meta.v1.ObjectMeta> {
  if (waitFor.length === 0 || holdsOutput(metadata)) return metadata;
  const known = metadata as k8s.types.input.meta.v1.ObjectMeta;
  return {
    ...known,
    annotations: { ...(known.annotations as object | undefined), "pulumi.com/waitFor": JSON.stringify(waitFor) },
  };
}
