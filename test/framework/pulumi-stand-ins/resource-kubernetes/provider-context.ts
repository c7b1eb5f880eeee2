// What every operation of a configured provider works with.

import type { Cluster } from "./cluster.ts";
import type { Configuration } from "./configuration.ts";
import type { EngineLog } from "./engine-log.ts";

export interface ProviderContext {
  readonly configuration: Configuration;
  readonly cluster: Cluster;
  /** Of objects that name none; undefined when the cluster cannot be reached. */
  readonly defaultNamespace: string | undefined;
  /** Why the cluster cannot be reached; undefined when it can. */
  readonly unreachable: string | undefined;
  readonly log: EngineLog;
  /** Aborts when the user cancels. */
  readonly signal: AbortSignal;
}

/** A Patch resource manages some fields of an object that somebody else made. */
export function isPatchResource(type: string, kind: string): boolean {
  const name = type.split(":").at(-1) ?? "";
  return name.endsWith("Patch") && name === `${kind}Patch`;
}
