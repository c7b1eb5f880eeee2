// Our CustomResourceDefinitions in one cluster, whoever made them first.
//
// They are Patch resources, since those are server-side applied: that creates a definition which is not there and takes over one that
// is (ours from an earlier installation, or upstream's), where a plain resource would fail with AlreadyExists. A Patch resource never
// deletes its object, so `onDestroy: delete` names an owner for the definitions: a ClusterRole that Kubernetes' garbage collector
// deletes them with, and that Pulumi waits for until they are gone.

import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { crdObjects, definitionsOwnerObject } from "#install/crds.ts";
import type { InstallObject } from "#install/object.ts";
import { checkArguments } from "./arguments.ts";
import { requireProvider } from "./cluster.ts";
import { AWAIT_DEFINITION, dependenciesOf, resourceName, withAnnotation, type Placement } from "./objects.ts";

export interface CrdsArgs {
  /**
   * What `pulumi destroy` does with the definitions. `keep` (the default) leaves them, since deleting a definition deletes every
   * object of its kind; `delete` removes them once nothing of ours uses them.
   */
  readonly onDestroy?: "keep" | "delete";
}

const TYPE = "clusternet:index:Crds";

/** Definitions of all our kinds. Depend on it before creating one of them; installing over existing definitions works. */
export class Crds extends pulumi.ComponentResource {
  readonly resources: readonly pulumi.CustomResource[];

  constructor(name: string, args: CrdsArgs, options: pulumi.ComponentResourceOptions) {
    checkArguments(`Crds ${name}`, z.strictObject({ onDestroy: z.enum(["keep", "delete"]).optional() }), args);
    super(TYPE, name, args, options);
    const provider = requireProvider(this, `Crds ${name}`);
    const place = { parent: this, provider, dependsOn: dependenciesOf(options) };
    const owner = args.onDestroy === "delete" ? definitionsOwner(name, place) : undefined;
    const dependsOn = [...place.dependsOn, ...(owner === undefined ? [] : [owner])];
    const definitions = crdObjects().map(
      (object) =>
        new k8s.apiextensions.v1.CustomResourceDefinitionPatch(resourceName(name, object), patchArgs(object, owner), {
          parent: this,
          provider,
          dependsOn,
          // To give up its fields, as the deletion of a Patch resource does, would make the definition invalid, which is refused.
          retainOnDelete: true,
        }),
    );
    this.resources = [...(owner === undefined ? [] : [owner]), ...definitions];
    this.registerOutputs({});
  }
}

function definitionsOwner(name: string, { parent, provider, dependsOn = [] }: Placement): k8s.rbac.v1.ClusterRole {
  const object = definitionsOwnerObject();
  const args = { metadata: object.metadata, rules: object["rules"] as k8s.types.input.rbac.v1.PolicyRule[] };
  return new k8s.rbac.v1.ClusterRole(resourceName(name, object), args, { parent, provider, dependsOn: [...dependsOn] });
}

function patchArgs(
  object: InstallObject,
  owner: k8s.rbac.v1.ClusterRole | undefined,
): k8s.apiextensions.v1.CustomResourceDefinitionPatchArgs {
  const forced = withAnnotation(object, "pulumi.com/patchForce", "true");
  const { metadata, spec } = withAnnotation(forced, "pulumi.com/waitFor", AWAIT_DEFINITION);
  const ownerReferences = owner === undefined ? {} : { ownerReferences: [ownerReference(owner)] };
  return { metadata: { ...metadata, ...ownerReferences }, spec: spec as object };
}

/** Blocking: the owner, and so `pulumi destroy`, waits until the definitions and all their objects are gone. */
function ownerReference(owner: k8s.rbac.v1.ClusterRole): k8s.types.input.meta.v1.OwnerReferencePatch {
  const { apiVersion, kind, metadata } = definitionsOwnerObject();
  const uid = owner.metadata.apply((live) => live.uid);
  return { apiVersion, kind, name: metadata.name, uid, blockOwnerDeletion: true };
}
