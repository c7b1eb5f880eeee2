// Which chart is meant, and a chart that was found: what repositories and registries have in common.

import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";

export type ChartSource = Pick<HelmRelease["spec"], "repo" | "chart" | "version">;

/** A chart that is there, in one version. */
export interface FoundChart {
  readonly version: string;
  download(signal: AbortSignal): Promise<Buffer>;
}

/** Larger ones do not fit into the Secret that helm keeps of a release, by far. */
export const CHART_BYTES_MAX = 32 * 1024 * 1024;
