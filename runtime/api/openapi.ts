// Kinds as OpenAPI component schemas, the same as a parent's API server publishes once our CRDs are installed. Pure.

import { kindSchema, withoutMarks } from "./crd.ts";
import type { Kind } from "./define-kind.ts";
import type { StructuralSchema } from "./structural-schema.ts";

export interface OpenApiSchema extends Omit<StructuralSchema, "properties"> {
  readonly properties?: Readonly<Record<string, StructuralSchema | ListOf>>;
  readonly "x-kubernetes-group-version-kind": readonly GroupVersionKind[];
}

interface ListOf {
  readonly type: "array";
  readonly items: { readonly $ref: string };
}

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** Component name to schema: each kind and its list. */
export function openApiSchemas(kinds: readonly Kind[]): Record<string, OpenApiSchema> {
  return Object.fromEntries(
    kinds.flatMap((kind) => [
      [openApiName(kind), { ...withoutMarks(kindSchema(kind)), "x-kubernetes-group-version-kind": [groupVersionKind(kind)] }],
      [`${openApiName(kind)}List`, listSchema(kind)],
    ]),
  );
}

/** The group's domain backwards, as Kubernetes names its components: `io.clusternet.apps.v1alpha1.Subscription`. */
export function openApiName({ group, version, kind }: GroupVersionKind): string {
  return [...group.split(".").reverse(), version, kind].join(".");
}

const objectProperties: Readonly<Record<string, StructuralSchema>> = {
  apiVersion: { type: "string", description: "Version of this object's schema." },
  kind: { type: "string", description: "What this object is." },
  metadata: { type: "object" },
};

function groupVersionKind({ group, version, kind }: GroupVersionKind): GroupVersionKind {
  return { group, version, kind };
}

function listSchema(kind: Kind): OpenApiSchema {
  return {
    type: "object",
    description: `A list of ${kind.kind}.`,
    required: ["items"],
    properties: { ...objectProperties, items: { type: "array", items: { $ref: `#/components/schemas/${openApiName(kind)}` } } },
    "x-kubernetes-group-version-kind": [{ ...groupVersionKind(kind), kind: kind.listKind }],
  };
}
