// A Helm Description -> the HelmReleases that it asks for. Pure.

import { Description } from "#api/apps/v1alpha1/description.ts";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { finalizers } from "#api/names.ts";
import { isJsonObject } from "#delivery/json.ts";
import { helmReleaseLabels, helmReleaseName } from "#delivery/names.ts";
import { pullSecretOf } from "./charts/access.ts";
import { withPolicy } from "#delivery/policy.ts";
import { decodeRaw } from "#delivery/render.ts";
import * as z from "zod";

export interface DescribedRelease {
  readonly chart: { readonly namespace: string; readonly name: string };
  readonly release: HelmRelease;
}

export interface DescribedReleases {
  readonly releases: readonly DescribedRelease[];
  /** What is wrong with the Description itself. */
  readonly problems: readonly string[];
}

/** What we need of a HelmChart that travelled as JSON. */
const Chart = z.object({
  metadata: z.object({
    name: z.string().min(1),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: HelmChart.fields["spec"] as z.ZodType<HelmChart["spec"]>,
});

export function describedReleases(description: Description): DescribedReleases {
  const { charts = [], raw = [], chartRaw = [] } = description.spec;
  if (raw.length !== charts.length || chartRaw.length !== charts.length) {
    const lengths = `${String(charts.length)} charts, ${String(raw.length)} raw and ${String(chartRaw.length)} chartRaw`;
    return { releases: [], problems: [`spec has ${lengths}: they belong together by index`] };
  }
  const results = charts.map((key, index) =>
    describedRelease(description, { key, values: raw[index] ?? "", chart: chartRaw[index] ?? "" }),
  );
  return {
    releases: results.flatMap((result, index) => {
      const chart = charts[index];
      return typeof result === "string" || chart === undefined ? [] : [{ chart, release: result }];
    }),
    problems: results.flatMap((result) => (typeof result === "string" ? [result] : [])),
  };
}

interface Described {
  readonly key: { readonly namespace: string; readonly name: string };
  /** Base64. */
  readonly values: string;
  readonly chart: string;
}

/** The HelmRelease, or why there can be none. */
function describedRelease(description: Description, { key, values, chart: text }: Described): HelmRelease | string {
  const parsed = Chart.safeParse(decodeRaw(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return `HelmChart ${key.namespace}/${key.name}: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "cannot be read"}`;
  }
  const overrides = Buffer.from(values, "base64").toString("utf8").trim();
  if (overrides !== "" && !isJsonObject(decodeRaw(values)))
    return `HelmChart ${key.namespace}/${key.name}: its values are no object`;
  const { metadata, spec } = parsed.data;
  const { apiVersion, kind } = Description;
  const { name, namespace, uid = "" } = description.metadata;
  // With its namespace, because a HelmRelease is in another one than its chart.
  const secret = pullSecretOf(spec, key.namespace);
  return {
    apiVersion: HelmRelease.apiVersion,
    kind: HelmRelease.kind,
    metadata: {
      ...(namespace === undefined ? {} : { namespace }),
      name: helmReleaseName(name, key),
      labels: helmReleaseLabels(description, metadata.labels ?? {}),
      annotations: metadata.annotations ?? {},
      finalizers: [finalizers.apps],
      ownerReferences: [{ apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true }],
    },
    spec: {
      ...spec,
      ...(secret === undefined ? {} : { chartPullSecret: secret }),
      releaseName: metadata.name,
      ...withPolicy(description.spec.delivery),
      ...(overrides === "" ? {} : { overrides: Buffer.from(overrides, "utf8").toString("base64") }),
    },
  };
}
