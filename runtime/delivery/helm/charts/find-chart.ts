// Looks a chart up where its HelmChart or HelmRelease says: in an HTTP repository or an OCI registry.

import type { ChartSource, FoundChart } from "./chart.ts";
import type { Access } from "./fetch.ts";
import { findInRepository } from "./http-repository.ts";
import { findInRegistry } from "./oci-registry.ts";

/** A missing chart or version is known before anything is downloaded. */
export function findChart(source: ChartSource, access: Access, signal: AbortSignal): Promise<FoundChart> {
  return source.repo.startsWith("oci://") ? findInRegistry(source, access, signal) : findInRepository(source, access, signal);
}
