// Plain objects of #install -> child resources with stable names, created in stages and removed in the opposite order.

import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { assert } from "#std/assert.ts";
import type { InstallObject, InstallStages } from "#install/object.ts";

export interface Placement {
  /** The component that owns the resources. */
  readonly parent: pulumi.Resource;
  readonly provider: k8s.Provider;
  readonly dependsOn?: readonly pulumi.Input<pulumi.Resource>[];
}

/** Every stage depends on the one before it: created after it, deleted before it. Returns all resources, in order. */
export function createStages(name: string, stages: InstallStages, placement: Placement): pulumi.CustomResource[] {
  const created: pulumi.CustomResource[] = [];
  let previous: readonly pulumi.Input<pulumi.Resource>[] = placement.dependsOn ?? [];
  for (const stage of stages) {
    const dependsOn = previous;
    const resources = stage.map((object) => createObject(name, object, { ...placement, dependsOn }));
    created.push(...resources);
    if (resources.length > 0) previous = resources;
  }
  return created;
}

export function createObject(name: string, object: InstallObject, placement: Placement): pulumi.CustomResource {
  const create = classes[`${object.apiVersion}/${object.kind}`];
  assert(create !== undefined, `No resource class for ${object.apiVersion} ${object.kind}`);
  const waitFor = awaited[object.kind];
  const annotated = waitFor === undefined ? object : withAnnotation(object, "pulumi.com/waitFor", waitFor);
  return create(resourceName(name, object), annotated, {
    parent: placement.parent,
    provider: placement.provider,
    dependsOn: [...(placement.dependsOn ?? [])],
  });
}

/** `<component>-<kind>-<namespace>-<name>`: part of the resource's identity in the state, so it never changes. */
export function resourceName(component: string, { kind, metadata }: InstallObject): string {
  const parts = [component, kind.toLowerCase(), metadata.namespace, metadata.name.replaceAll(":", "-")];
  return parts.filter((part) => part !== undefined).join("-");
}

/** Pulumi does not hand a component's dependsOn down to its children: components pass it on by this. */
export function dependenciesOf({ dependsOn }: pulumi.ComponentResourceOptions): readonly pulumi.Input<pulumi.Resource>[] {
  if (dependsOn === undefined) return [];
  return Array.isArray(dependsOn) ? dependsOn : [dependsOn as pulumi.Input<pulumi.Resource>];
}

export function withAnnotation(object: InstallObject, key: string, value: string): InstallObject {
  return { ...object, metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [key]: value } } };
}

/** The provider does not wait for these by itself, and what comes after them needs them served. */
const awaited: Readonly<Record<string, string>> = { APIService: "condition=Available" };

export const AWAIT_DEFINITION = '["condition=Established","condition=NamesAccepted"]';

type CreateResource = (name: string, object: InstallObject, options: pulumi.CustomResourceOptions) => pulumi.CustomResource;

/** The typed class of each kind we install, so that resources carry the tokens users know from their own programs. */
const classes: Readonly<Record<string, CreateResource>> = {
  "v1/Namespace": by(k8s.core.v1.Namespace),
  "v1/ServiceAccount": by(k8s.core.v1.ServiceAccount),
  "v1/Secret": by(k8s.core.v1.Secret),
  "v1/ConfigMap": by(k8s.core.v1.ConfigMap),
  "v1/Service": by(k8s.core.v1.Service),
  "apps/v1/Deployment": by(k8s.apps.v1.Deployment),
  "rbac.authorization.k8s.io/v1/Role": by(k8s.rbac.v1.Role),
  "rbac.authorization.k8s.io/v1/RoleBinding": by(k8s.rbac.v1.RoleBinding),
  "rbac.authorization.k8s.io/v1/ClusterRole": by(k8s.rbac.v1.ClusterRole),
  "rbac.authorization.k8s.io/v1/ClusterRoleBinding": by(k8s.rbac.v1.ClusterRoleBinding),
  "apiregistration.k8s.io/v1/APIService": by(k8s.apiregistration.v1.APIService),
  "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy": by(k8s.admissionregistration.v1.ValidatingAdmissionPolicy),
  "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding": by(
    k8s.admissionregistration.v1.ValidatingAdmissionPolicyBinding,
  ),
};

/** A class adds apiVersion and kind itself; the loose install type says nothing of the other fields, whose tests are beside #install. */
function by(
  resourceClass: new (name: string, args: never, options: pulumi.CustomResourceOptions) => pulumi.CustomResource,
): CreateResource {
  return (name, { apiVersion: _apiVersion, kind: _kind, ...args }, options) => new resourceClass(name, args as never, options);
}
