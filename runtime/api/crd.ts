// A Kind as the CustomResourceDefinition that teaches it to a parent's API server. Pure.

import type { Kind } from "./define-kind.ts";
import type { KubeObject } from "./meta.ts";
import { omit, type StructuralSchema, structuralSchema } from "./structural-schema.ts";

export interface CustomResourceDefinition extends KubeObject {
  readonly spec: {
    readonly group: string;
    readonly names: {
      readonly kind: string;
      readonly listKind: string;
      readonly plural: string;
      readonly singular: string;
      readonly shortNames?: readonly string[];
      readonly categories?: readonly string[];
    };
    readonly scope: "Namespaced" | "Cluster";
    readonly versions: readonly CustomResourceVersion[];
  };
}

export interface CustomResourceVersion {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly subresources: { readonly status: Readonly<Record<string, never>> };
  readonly additionalPrinterColumns?: readonly PrinterColumn[];
  readonly schema: { readonly openAPIV3Schema: StructuralSchema };
}

export interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly jsonPath: string;
  readonly priority?: number;
}

export function crdOf(kind: Kind): CustomResourceDefinition {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: crdName(kind) },
    spec: {
      group: kind.group,
      names: {
        kind: kind.kind,
        listKind: kind.listKind,
        plural: kind.plural,
        singular: kind.singular,
        ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
        categories: kind.categories,
      },
      scope: kind.scope,
      versions: [
        {
          name: kind.version,
          served: true,
          storage: true,
          // Every kind has a status: observedGeneration and conditions say whether anyone looked, and what came of it.
          subresources: { status: {} },
          ...(kind.columns === undefined ? {} : { additionalPrinterColumns: kind.columns }),
          schema: { openAPIV3Schema: withoutMarks(kindSchema(kind)) },
        },
      ],
    },
  };
}

export function crdName({ plural, group }: Pick<Kind, "plural" | "group">): string {
  return `${plural}.${group}`;
}

/** The whole object's schema, with the marks of extensions that the docs show. */
export function kindSchema(kind: Kind): StructuralSchema {
  const fields = Object.entries(kind.fields).map(([name, field]) => [name, structuralSchema(field, name)] as const);
  return {
    type: "object",
    description: kind.description,
    required: Object.keys(kind.fields).filter((name) => name !== "status"),
    properties: {
      apiVersion: { type: "string", description: `Always ${kind.apiVersion}.` },
      kind: { type: "string", description: `Always ${kind.kind}.` },
      metadata: { type: "object" },
      ...Object.fromEntries(fields),
    },
  };
}

export function withoutMarks(marked: StructuralSchema): StructuralSchema {
  const schema = omit(marked, "extension");
  return {
    ...schema,
    ...(schema.properties === undefined ? {} : { properties: mapValues(schema.properties, withoutMarks) }),
    ...(schema.additionalProperties === undefined ? {} : { additionalProperties: withoutMarks(schema.additionalProperties) }),
    ...(schema.items === undefined ? {} : { items: withoutMarks(schema.items) }),
  };
}

function mapValues<From, To>(record: Readonly<Record<string, From>>, change: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
