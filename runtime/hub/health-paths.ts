// The paths of probes. They are answered when the hub is full or leaving: a restart would make it worse. Pure.

import type { NonResourceRequest, ResourceRequest } from "./request-info.ts";

const HEALTH_PATHS: ReadonlySet<string> = new Set(["/livez", "/readyz", "/healthz"]);

export function isHealthPath(info: ResourceRequest | NonResourceRequest): boolean {
  return info.type === "path" && HEALTH_PATHS.has(info.path);
}
