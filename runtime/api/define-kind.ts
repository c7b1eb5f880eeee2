// defineKind(): one value per kind. Its zod schema is the only definition; types, CRD, OpenAPI, docs and validation are derived.

import * as z from "zod";

import { apiVersionOf, Condition, type KubeObject, type ObjectMeta, type ResourceType } from "./meta.ts";

export interface Kind<T extends KubeObject = KubeObject, Input = unknown> extends ResourceType<T> {
  readonly apiVersion: string;
  readonly listKind: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly description: string;
  /** Absent: the API server shows its default column, Age. */
  readonly columns?: readonly Column[];
  /** The root fields of ours: `spec` or `template`, and `status`. */
  readonly fields: Readonly<Record<string, z.ZodType>>;
  readonly examples: readonly Example[];
  /** Never set: ties the type of what a user may write (defaults left out) to the value. */
  readonly input?: Input;
}

export interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly jsonPath: string;
  /** Above zero: shown only by `-o wide`. */
  readonly priority?: number;
}

export interface Example {
  readonly title: string;
  readonly object: KubeObject & Readonly<Record<string, unknown>>;
}

/** A rule in the Common Expression Language that the API server checks. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
}

/** Read-only all the way down; an optional field is absent, never `undefined` (see exactOptionalPropertyTypes). */
export type Immutable<T> = T extends readonly (infer Item)[]
  ? readonly Immutable<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Immutable<Exclude<T[Key], undefined>> }
    : T;

/** What objects of a kind look like when read: defaults are there. */
export type KindOf<K extends Kind> = NonNullable<K["object"]>;

/** What a user may write: fields with a default may be left out. */
export type InputOf<K extends Kind> = NonNullable<K["input"]>;

interface Definition<Status extends z.ZodType<CommonStatus>> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly scope: "Namespaced" | "Cluster";
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly description: string;
  readonly columns?: readonly Column[];
  readonly status: Status;
  readonly examples: readonly Example[];
}

export function defineKind<Spec extends z.ZodType, Status extends z.ZodType<CommonStatus>>(
  definition: Definition<Status> & { readonly spec: Spec },
): Kind<
  KubeObject & { readonly spec: Immutable<z.output<Spec>>; readonly status?: Immutable<z.output<Status>> },
  { readonly metadata: ObjectMeta; readonly spec: Immutable<z.input<Spec>> }
>;
export function defineKind<Template extends z.ZodType, Status extends z.ZodType<CommonStatus>>(
  definition: Definition<Status> & { readonly template: Template },
): Kind<
  KubeObject & { readonly template: Immutable<z.output<Template>>; readonly status?: Immutable<z.output<Status>> },
  { readonly metadata: ObjectMeta; readonly template: Immutable<z.input<Template>> }
>;
export function defineKind({
  spec,
  template,
  status,
  ...definition
}: Definition<z.ZodType<CommonStatus>> & { readonly spec?: z.ZodType; readonly template?: z.ZodType }): Kind {
  return {
    ...definition,
    apiVersion: apiVersionOf(definition),
    listKind: `${definition.kind}List`,
    singular: definition.kind.toLowerCase(),
    fields: {
      ...(spec === undefined ? {} : { spec }),
      ...(template === undefined ? {} : { template }),
      status: status.optional(),
    },
  };
}

/** The `AGE` column that most kinds end with. */
export const ageColumn: Column = { name: "AGE", type: "date", jsonPath: ".metadata.creationTimestamp" };

/** Marks what upstream Clusternet does not have. Extensions are optional, so upstream's objects stay valid. Shown in the docs. */
export const extension = { extension: true } as const;

export function celRules(...rules: readonly CelRule[]): Record<string, unknown> {
  return { "x-kubernetes-validations": rules };
}

const commonStatusShape = {
  observedGeneration: z
    .int()
    .optional()
    .describe("Generation of the object that this status speaks about; older than metadata.generation means: not looked at yet.")
    .meta(extension),
  conditions: z
    .array(Condition)
    .optional()
    .describe("What is true about this object now, one entry per type.")
    .meta({ ...extension, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] }),
};

/** What every kind's status has. */
export type CommonStatus = z.output<z.ZodObject<typeof commonStatusShape>>;

/** A status: the kind's own fields (all optional) with observedGeneration and conditions. A field of the same name wins. */
export function statusSchema<Shape extends z.ZodRawShape>(
  shape: Shape,
): z.ZodObject<Omit<typeof commonStatusShape, keyof Shape> & Shape> {
  return z.object({ ...commonStatusShape, ...shape });
}
