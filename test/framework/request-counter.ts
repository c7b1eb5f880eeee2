// Counts the requests that go through a connection, so that a test can say: nothing was written.

import { setTimeout as sleep } from "node:timers/promises";
import type { Dispatcher } from "undici";
import type { Connection } from "#kube/connection.ts";
import { eventually } from "./eventually.ts";

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "other";

export interface CountedRequest {
  /** "other": reviews, dry runs and what is no resource. */
  readonly verb: Verb;
  /** `pods`, `pods/status`; the path when it is not a resource. */
  readonly resource: string;
  readonly path: string;
}

export interface RequestCounter {
  /** Use it in place of the connection that was given. */
  readonly connection: Connection;
  readonly requests: readonly CountedRequest[];
  count(filter?: { readonly verb?: Verb; readonly resource?: string }): number;
  reset(): void;
  /** Throws, naming each, when anything was written since the last reset. `except` names resources, such as leases and events. */
  expectNoWrites(options?: { readonly except?: readonly string[] }): void;
}

const WRITES: readonly Verb[] = ["create", "update", "patch", "delete"];

export function countRequests(connection: Connection): RequestCounter {
  const requests: CountedRequest[] = [];
  const pathPrefix = new URL(connection.server).pathname.replace(/\/$/, "");
  const counted = new WeakMap<Dispatcher, Dispatcher>();
  const countingDispatcher = (dispatcher: Dispatcher): Dispatcher => {
    const existing = counted.get(dispatcher);
    if (existing !== undefined) return existing;
    const composed = dispatcher.compose((dispatch) => (options, handler) => {
      requests.push(describeRequest(options.method, options.path.slice(pathPrefix.length)));
      return dispatch(options, handler);
    });
    counted.set(dispatcher, composed);
    return composed;
  };
  return {
    connection: {
      server: connection.server,
      get dispatcher() {
        return countingDispatcher(connection.dispatcher);
      },
      get caPem() {
        return connection.caPem;
      },
      authorization: (signal) => connection.authorization(signal),
      forgetCredentials: () => {
        connection.forgetCredentials();
      },
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    },
    requests,
    count: ({ verb, resource } = {}) =>
      requests.filter((each) => (verb ?? each.verb) === each.verb && (resource ?? each.resource) === each.resource).length,
    reset: () => {
      requests.length = 0;
    },
    expectNoWrites: ({ except = [] } = {}) => {
      const writes = requests.filter(({ verb, resource }) => WRITES.includes(verb) && !except.includes(resource));
      if (writes.length === 0) return;
      const list = writes.map(({ verb, path }) => `  ${verb} ${path}`).join("\n");
      throw new Error(`Nothing should have been written, but there were ${writes.length} writes:\n${list}`);
    },
  };
}

/** Statuses are written at most every 500 ms, Events after a second. */
const QUIET_MS = 2_000;

/** Everything is done and said: nothing was written through any of these for a while. */
export async function whenSettled(
  counters: readonly RequestCounter[],
  options: { readonly except?: readonly string[] } = {},
): Promise<void> {
  await eventually("nothing is written any more", async () => {
    for (const counter of counters) counter.reset();
    await sleep(QUIET_MS);
    for (const counter of counters) counter.expectNoWrites(options);
    return true;
  });
}

const METHOD_VERBS: Readonly<Record<string, Verb>> = { POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" };

export function describeRequest(method: string, pathAndQuery: string): CountedRequest {
  const { pathname, searchParams } = new URL(pathAndQuery, "http://counted");
  const match = /^\/(?:api\/v1|apis\/(?<group>[^/]+)\/[^/]+)\/(?<rest>.+)$/.exec(pathname);
  const rest = match?.groups?.["rest"];
  if (rest === undefined) return { verb: "other", resource: pathname, path: pathname };
  const [first = "", namespace, ...inNamespace] = rest.split("/");
  // `namespaces/x` is a Namespace, and so are its own subresources.
  const isInNamespace =
    first === "namespaces" &&
    namespace !== undefined &&
    inNamespace[0] !== undefined &&
    !["status", "finalize"].includes(inNamespace[0]);
  const [plural = "", name, subresource] = isInNamespace ? inNamespace : rest.split("/");
  const resource = subresource === undefined ? plural : `${plural}/${subresource}`;
  const isWatch = ["1", "true"].includes(searchParams.get("watch") ?? "");
  const readVerb = isWatch ? "watch" : name === undefined ? "list" : "get";
  const isReview = ["authorization.k8s.io", "authentication.k8s.io"].includes(match?.groups?.["group"] ?? "");
  const isWithoutEffect = isReview || searchParams.has("dryRun");
  const verb = method === "GET" ? readVerb : isWithoutEffect ? "other" : (METHOD_VERBS[method] ?? "other");
  return { verb, resource, path: pathname };
}
