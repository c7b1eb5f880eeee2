// Why a field will have its value in one cluster, computed from what the program itself says: no cluster is asked, so it works in a
// preview. It runs the functions that render in the cluster, like `kubectl clusternet explain value`, which asks the clusters instead.

import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import type { Feed } from "#api/apps/v1alpha1/feed.ts";
import { Globalization } from "#api/apps/v1alpha1/globalization.ts";
import { Localization } from "#api/apps/v1alpha1/localization.ts";
import type { Kind } from "#api/define-kind.ts";
import { explain, type ExplainedStep } from "#delivery/explain.ts";
import { explanationText } from "#delivery/explain-text.ts";
import { feedText, identityOf } from "#delivery/feeds.ts";
import { overrideRevision } from "#delivery/override-report.ts";
import { overrideText, type Override } from "#delivery/overrides.ts";
import { checkArguments } from "#pulumi/components/arguments.ts";
import type { GlobalizationArgs, LocalizationArgs } from "#pulumi/components/kinds.ts";
import type { TemplateArgs } from "#pulumi/components/templates.ts";

export interface ExplainValueArgs {
  /** What the feed names: the object itself, or a HelmChart with its apiVersion and kind. */
  readonly template: TemplateArgs;
  readonly cluster: {
    readonly name: string;
    /** Its dedicated namespace on the parent: where its Localizations are. */
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  /** What the resources were made with; those for other objects and other clusters may be among them. */
  readonly globalizations?: readonly Pick<GlobalizationArgs, "metadata" | "spec">[];
  readonly localizations?: readonly Pick<LocalizationArgs, "metadata" | "spec">[];
  /** JSON pointer, as `pointer()` makes it. Of a HelmChart it begins with /values or /chart. Default: every change. */
  readonly path?: string;
}

export interface ExplainedValue {
  /** Of the path, in the cluster, when `pulumi up` and the delivery are done; absent where there is no such field, and without a path. */
  readonly value?: unknown;
  /** Of the path, in the template. */
  readonly template?: unknown;
  /** Every override of this object, in the order in which they are applied, with what each changed, or why it changed nothing. */
  readonly steps: readonly ExplainedStep[];
  /** The same for people. */
  readonly text: string;
}

/** What is plain in every program is checked at once, the rest when it is known. */
const question = z.object({
  cluster: z.strictObject({
    name: z.string().min(1),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
  }),
  path: z
    .string()
    .startsWith("/", "Must be a JSON pointer such as /spec/replicas: pointer() makes one from the names of fields")
    .optional(),
});

const specOf = ({ fields }: Kind): z.ZodType => fields["spec"] ?? z.unknown();

const shape = z.strictObject({
  ...question.shape,
  template: z.looseObject({ apiVersion: z.string(), kind: z.string(), metadata: z.looseObject({ name: z.string() }) }),
  globalizations: z.array(z.looseObject({ metadata: z.looseObject({ name: z.string() }), spec: specOf(Globalization) })),
  localizations: z.array(
    z.looseObject({
      metadata: z.looseObject({ name: z.string(), namespace: z.string() }),
      spec: specOf(Localization),
    }),
  ),
});

/**
 * Overrides of one priority are applied in the order of their creation, which a program does not know: here they are taken by name, so
 * give two that touch one field different priorities.
 */
export function explainValue(args: ExplainValueArgs): pulumi.Output<ExplainedValue> {
  checkArguments("explainValue", question, args);
  const { globalizations = [], localizations = [], ...rest } = args;
  return pulumi.output({ ...rest, globalizations, localizations }).apply((known: unknown) => {
    checkArguments("explainValue", shape, known);
    return explained(shape.parse(known));
  });
}

function explained({ template, cluster, globalizations, localizations, path }: z.output<typeof shape>): ExplainedValue {
  const overrides = [
    ...globalizations.map((each) => ({ ...each, apiVersion: Globalization.apiVersion, kind: Globalization.kind })),
    ...localizations.map((each) => ({ ...each, apiVersion: Localization.apiVersion, kind: Localization.kind })),
  ] as unknown as readonly Override[];
  const explanation = explain({
    feed: identityOf(template) as Feed,
    template: template,
    cluster: { ...cluster, namespace: cluster.namespace ?? "" } as Parameters<typeof explain>[0]["cluster"],
    overrides,
    outcomes: overrides.map(asRendered),
    delivered: undefined,
    ...(path === undefined ? {} : { path }),
  });
  const steps = explanation.steps.filter(isAboutObject);
  const { next, template: before } = explanation;
  const value = next === undefined ? {} : { value: next };
  const done = { ...explanation, steps, isDelivered: true, ...(next === undefined ? {} : { delivered: next }) };
  return { ...value, ...(before === undefined ? {} : { template: before }), steps, text: explanationText(done).join("\n") };
}

/** A program has no history, so nothing of it is gone; and what is for other objects or clusters is left out. */
function isAboutObject({ outcome, reason }: ExplainedStep): boolean {
  return outcome !== "gone" && reason?.startsWith("it is for ") !== true;
}

/** As if the cluster were rendered from just what the program says. */
function asRendered(override: Override): { override: string; feed: string; revision: string } {
  return { override: overrideText(override), feed: feedText(override.spec.feed), revision: overrideRevision(override) };
}
