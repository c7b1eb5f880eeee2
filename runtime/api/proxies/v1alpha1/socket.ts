// Socket: one child cluster's tunnel, and the one truth for its URL.

import type { ResourceType } from "#api/meta.ts";
import { groups, versions } from "#api/names.ts";

/** Connect only: there is nothing to get, list or watch. Cluster-scoped; its name is the cluster id. */
export const Socket = {
  group: groups.proxies,
  version: versions.proxies,
  kind: "Socket",
  plural: "sockets",
  scope: "Cluster",
  singular: "socket",
  shortNames: ["ss"],
  categories: ["clusternet"],
  /** RBAC resource is `sockets/<subresource>`; both answer these verbs. */
  subresources: ["proxy", "attach"],
  verbs: ["create", "delete", "get", "patch", "update"],
} as const satisfies ResourceType & Record<string, unknown>;

export type SocketPath =
  /** `/sockets`: the resource itself. */
  | { readonly type: "collection" }
  /** `/sockets/<id>`: how upstream agents connect. */
  | { readonly type: "socket"; readonly id: string }
  /** `/sockets/<id>/attach`: how our agents connect. */
  | { readonly type: "attach"; readonly id: string }
  /** `/sockets/<id>/proxy…`: `rest` is everything after `/proxy`, query included, as it was sent: "", "/", "/direct/api/v1/pods?limit=1". */
  | { readonly type: "proxy"; readonly id: string; readonly rest: string };

export type SocketPathResult =
  | { readonly found: true; readonly path: SocketPath }
  /** Not below `/apis/proxies.clusternet.io/v1alpha1/sockets`. */
  | { readonly found: false; readonly reason: "OtherPath" }
  | { readonly found: false; readonly reason: "InvalidClusterId"; readonly message: string }
  | {
      readonly found: false;
      readonly reason: "UnknownSubresource";
      readonly message: string;
      readonly id: string;
      /** The segment after the id, and what follows it, as they were sent. */
      readonly subresource: string;
      readonly rest: string;
    };

/** Of every socket: what follows it is `/<id>/<subresource>`. */
const socketsPath = `/apis/${Socket.group}/${Socket.version}/${Socket.plural}`;

/** Where a child's API server is, below the parent's (or the hub's) URL. */
export function socketProxyPath(id: string): string {
  return `${socketsPath}/${validClusterId(id)}/proxy/direct`;
}

/** Where a child's predictor is asked, below the parent's (or the hub's) URL; `path` is one of `predictorPaths`. */
export function socketPredictorPath(id: string, path: string): string {
  return `${socketsPath}/${validClusterId(id)}/proxy/predictor${path}`;
}

/**
 * The host that means "the predictor at the other end of the tunnel". It is no name in any network: upstream's schedulers put it into
 * `/proxy/http/<host>/…`, and the hub understands that form for this host only.
 */
export const PREDICTOR_HOST = "predictor";

/** Where our agent opens its tunnel. */
export function socketAttachPath(id: string): string {
  return `${socketsPath}/${validClusterId(id)}/attach`;
}

/** `server` may end in any number of slashes and may have a path of its own. */
export function socketProxyUrl(server: string, id: string): string {
  let end = server.length;
  while (end > 0 && server[end - 1] === "/") end -= 1;
  return server.slice(0, end) + socketProxyPath(id);
}

/** A path as it was on the wire, with or without its query. What follows `/proxy` is kept byte for byte. */
export function parseSocketPath(path: string): SocketPathResult {
  if (!path.startsWith(socketsPath)) return { found: false, reason: "OtherPath" };
  const nameAt = socketsPath.length + 1;
  const separator = path.charCodeAt(socketsPath.length);
  if (Number.isNaN(separator) || separator === QUESTION_MARK) return { found: true, path: { type: "collection" } };
  if (separator !== SLASH) return { found: false, reason: "OtherPath" };
  const idEnd = endOfSegment(path, nameAt);
  if (idEnd === nameAt && path.charCodeAt(idEnd) !== SLASH) return { found: true, path: { type: "collection" } };
  const id = path.slice(nameAt, idEnd);
  if (!isClusterId(id)) return { found: false, reason: "InvalidClusterId", message: invalidClusterIdMessage(id) };

  const hasSubresource = path.charCodeAt(idEnd) === SLASH;
  const subresourceEnd = hasSubresource ? endOfSegment(path, idEnd + 1) : idEnd;
  const subresource = path.slice(idEnd + 1, subresourceEnd);
  const rest = path.slice(subresourceEnd);
  if (subresource === "proxy") return { found: true, path: { type: "proxy", id, rest } };
  const isWhole = rest === "" || rest.startsWith("?");
  if (subresource === "" && isWhole) return { found: true, path: { type: "socket", id } };
  if (subresource === "attach" && (isWhole || /^\/($|\?)/.test(rest))) return { found: true, path: { type: "attach", id } };
  const tail = path.slice(idEnd);
  return {
    found: false,
    reason: "UnknownSubresource",
    message: `Nothing is served at ${JSON.stringify(tail.slice(0, SHOWN_LENGTH_MAX))} of a socket; use /proxy/direct/… or /attach`,
    id,
    subresource,
    rest,
  };
}

/**
 * A cluster id is one URL path segment that needs no escaping and is also a label value: no slash, no percent sign, no dots at the
 * ends. So it cannot mean something else to any server between client and hub.
 */
export function isClusterId(text: string): boolean {
  return CLUSTER_ID.test(text);
}

const CLUSTER_ID = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

function validClusterId(id: string): string {
  if (!isClusterId(id)) throw new Error(invalidClusterIdMessage(id));
  return id;
}

function invalidClusterIdMessage(id: string): string {
  return `${JSON.stringify(id.slice(0, SHOWN_LENGTH_MAX))} is not a cluster id: 1 to 63 of A-Z, a-z, 0-9, "-", "_" and ".", beginning and ending with a letter or digit`;
}

/** The next `/` or `?`, else the end. A loop: this is asked for every request, and a URL may be long. */
function endOfSegment(path: string, from: number): number {
  for (let at = from; at < path.length; at += 1) {
    const code = path.charCodeAt(at);
    if (code === SLASH || code === QUESTION_MARK) return at;
  }
  return path.length;
}

const SLASH = 47;
const QUESTION_MARK = 63;
/** Longer ones are cut in messages. */
const SHOWN_LENGTH_MAX = 253;
