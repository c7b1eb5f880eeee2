// What a program gives as templates (objects, YAML text, or arguments as of @pulumi/kubernetes) -> Manifest arguments.

import * as pulumi from "@pulumi/pulumi";
import { parseAllDocuments } from "yaml";
import * as z from "zod";
import { manifestObject, type TemplateObject } from "#install/manifest.ts";
import type { InstallObject } from "#install/object.ts";

/** An object to deliver. Its kind, name and namespace must be plain; any other field may be an output. */
export interface TemplateArgs {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

/** One object, or YAML text of one or more. */
export type Template = TemplateArgs | string;

const plain = (what: string): z.ZodString =>
  z.string({ error: `Must be plain text, known before anything is deployed: it decides ${what}` }).min(1);

const TemplateObjectSchema = z.looseObject({
  apiVersion: plain("the template's kind"),
  kind: plain("the template's kind"),
  metadata: z.looseObject({ name: plain("the Manifest's name"), namespace: plain("the Manifest's name").optional() }),
});

export const TemplateSchema = z.union([
  z.string().superRefine((text, context) => {
    for (const problem of yamlProblems(text)) context.addIssue({ code: "custom", message: problem });
  }),
  TemplateObjectSchema,
]);

/** Bounds what YAML anchors may expand to. */
const YAML_ALIASES_MAX = 100;

export function templateObjects(templates: readonly Template[]): readonly TemplateObject[] {
  return templates.flatMap((template) => (typeof template === "string" ? yamlObjects(template) : [template]));
}

/** The Manifest of a template. A Secret's content stays secret in the state. */
export function templateManifest(
  template: TemplateObject,
  options: { readonly reservedNamespace: string; readonly allowSubscriptionsFrom: readonly string[] },
): InstallObject {
  const manifest = manifestObject(template, options);
  return template.kind === "Secret" ? { ...manifest, template: pulumi.secret(template) } : manifest;
}

function yamlObjects(text: string): TemplateObject[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS({ maxAliasCount: YAML_ALIASES_MAX }) as TemplateObject | null)
    .filter((object): object is TemplateObject => object !== null);
}

function yamlProblems(text: string): string[] {
  const syntax = parseAllDocuments(text).flatMap((document) => document.errors.map(({ message }) => message));
  if (syntax.length > 0) return syntax;
  return yamlObjects(text).flatMap((object, index) => {
    const parsed = TemplateObjectSchema.safeParse(object);
    return parsed.success
      ? []
      : parsed.error.issues.map(({ path, message }) => `Document ${String(index + 1)}, ${path.join(".")}: ${message}`);
  });
}
