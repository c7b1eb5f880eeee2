// apiVersion and kind -> where it lives in the REST API, as the server says; cached.

import type { ResourceType } from "#api/meta.ts";
import type { Clock } from "#std/clock.ts";
import type { Client } from "./client.ts";
import { isNotFound } from "./errors.ts";

export interface Discovery {
  /** undefined: the server does not serve it (now; a CRD may come later). */
  resolve(apiVersion: string, kind: string, signal: AbortSignal): Promise<ResourceType | undefined>;
}

/** A kind that was not there is asked for again after this; one that was there stays. */
const MISSING_MS_MAX = 5_000;
/** A CRD may be deleted and made again with another plural or scope. */
const KNOWN_MS_MAX = 600_000;
const GROUP_VERSIONS_MAX = 2_000;

interface CachedGroup {
  readonly types: ReadonlyMap<string, ResourceType>;
  readonly readAt: number;
}

interface ApiResourceList {
  readonly resources?: readonly { readonly name: string; readonly kind: string; readonly namespaced: boolean }[];
}

export function createDiscovery({ client, clock }: { readonly client: Client; readonly clock: Clock }): Discovery {
  const groups = new Map<string, CachedGroup>();

  const read = async (apiVersion: string, signal: AbortSignal): Promise<CachedGroup> => {
    const path = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const group = { types: typesOf(apiVersion, await readList(client, path, signal)), readAt: clock.monotonic() };
    const [oldest] = groups.keys();
    if (groups.size >= GROUP_VERSIONS_MAX && oldest !== undefined) groups.delete(oldest);
    groups.delete(apiVersion);
    groups.set(apiVersion, group);
    return group;
  };

  return {
    resolve: async (apiVersion, kind, signal) => {
      const cached = groups.get(apiVersion);
      const ageMs = cached === undefined ? Number.POSITIVE_INFINITY : clock.monotonic() - cached.readAt;
      const known = cached?.types.get(kind);
      if (ageMs < (known === undefined ? MISSING_MS_MAX : KNOWN_MS_MAX)) return known;
      return (await read(apiVersion, signal)).types.get(kind);
    },
  };
}

async function readList(client: Client, path: string, signal: AbortSignal): Promise<ApiResourceList> {
  try {
    return (await client.request({ method: "GET", path }, signal)).json as ApiResourceList;
  } catch (error) {
    if (isNotFound(error)) return {};
    throw error;
  }
}

function typesOf(apiVersion: string, { resources = [] }: ApiResourceList): ReadonlyMap<string, ResourceType> {
  const slash = apiVersion.indexOf("/");
  const group = slash === -1 ? "" : apiVersion.slice(0, slash);
  const version = apiVersion.slice(slash + 1);
  // Subresources (`pods/log`) come in the same list.
  const own = resources.filter(({ name }) => !name.includes("/"));
  return new Map(
    own.map(({ name, kind, namespaced }) => [
      kind,
      { group, version, kind, plural: name, scope: namespaced ? ("Namespaced" as const) : ("Cluster" as const) },
    ]),
  );
}
