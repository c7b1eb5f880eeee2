// Method and URL -> what the request asks for, in the words of Kubernetes RBAC. Pure.
//
// The rules are those of kube-apiserver, so that a role that allows a request at the parent allows the same one here. One difference:
// an escaped or empty segment before the part that belongs to the child is refused, because two readers could read it differently.

import { parseSocketPath, Socket } from "#api/proxies/v1alpha1/socket.ts";

/** "" is what kube-apiserver gives to a method it does not know; no ordinary role allows it. */
export type RequestVerb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection" | "";

export interface ResourceRequest {
  readonly type: "resource";
  readonly verb: RequestVerb;
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly resource: string;
  readonly name: string;
  readonly subresource: string;
  /** Raw bytes of the URL after the subresource, query included: the part that belongs to the child. "" or starts with / or ?. */
  readonly rest: string;
  readonly isLongRunning: boolean;
}

export interface NonResourceRequest {
  readonly type: "path";
  /** The method in lower case. */
  readonly verb: string;
  readonly path: string;
  readonly isLongRunning: false;
}

export interface MalformedRequest {
  readonly type: "malformed";
  readonly problem: string;
}

export type RequestInfo = ResourceRequest | NonResourceRequest | MalformedRequest;

/** Subresources whose requests last as long as their client wants; the same set as kube-apiserver's. */
const LONG_RUNNING_SUBRESOURCES: ReadonlySet<string> = new Set(["attach", "exec", "log", "portforward", "proxy"]);
const SEGMENT = /^[A-Za-z0-9._:-]+$/;
/** Kubernetes' limit for names. */
const SEGMENT_LENGTH_MAX = 253;
/** A query that makes the child answer until the client goes away. To kube-apiserver only these values mean no; none at all means yes. */
const ENDLESS_QUERY = /[?&](watch|follow)(=(?!(0|[Ff][Aa][Ll][Ss][Ee])(&|$))[^&]*)?(&|$)/;

const WATCH_QUERY = /[?&]watch(=(?!(0|[Ff][Aa][Ll][Ss][Ee])(&|$))[^&]*)?(&|$)/;

/** Of what goes to a child: is it a watch? `rest` as in ResourceRequest. */
export function isWatch(rest: string): boolean {
  // What a pod or Service behind the child answers is not ours to understand.
  return rest.includes("watch") && !rest.includes("/proxy/") && (WATCH_QUERY.test(rest) || rest.includes("/watch/"));
}

/** `isUpgrade`: the client asked to switch protocols. */
export function requestInfo(
  method: string,
  { url, isUpgrade }: { readonly url: string; readonly isUpgrade: boolean },
): RequestInfo {
  const proxied = socketRequest(method, { url, isUpgrade });
  if (proxied !== undefined) return proxied;
  const queryAt = url.indexOf("?");
  const path = queryAt === -1 ? url : url.slice(0, queryAt);
  if (!path.startsWith("/")) return { type: "malformed", problem: "The request's path does not start with /" };
  const query = queryAt === -1 ? "" : url.slice(queryAt);
  const segments = path.split("/").slice(1);
  if (segments[0] !== "apis" || segments.length < 4 || (segments.length === 4 && segments[3] === "")) {
    return { type: "path", verb: method.toLowerCase(), path, isLongRunning: false };
  }
  return resourceRequest(method, { segments: segments.slice(1), query, isUpgrade });
}

/** The hot path: `sockets/<id>/<subresource>…`. Undefined: not of this form. */
function socketRequest(
  method: string,
  { url, isUpgrade }: { readonly url: string; readonly isUpgrade: boolean },
): ResourceRequest | MalformedRequest | undefined {
  const parsed = parseSocketPath(url);
  if (!parsed.found) {
    switch (parsed.reason) {
      case "OtherPath":
        return undefined;
      case "InvalidClusterId":
        return { type: "malformed", problem: `A path segment is not a plain name: ${parsed.message}` };
      case "UnknownSubresource":
        // A plain name is answered like any resource that is not served: whoever may not ask for it does not learn that.
        if (!isSegment(parsed.subresource)) return { type: "malformed", problem: parsed.message };
        return onSocket(method, { ...parsed, isUpgrade });
    }
  }
  const { path } = parsed;
  switch (path.type) {
    case "proxy":
      return onSocket(method, { id: path.id, subresource: "proxy", rest: path.rest, isUpgrade });
    case "attach":
      return onSocket(method, { id: path.id, subresource: "attach", rest: "", isUpgrade });
    case "collection":
    case "socket":
      return undefined;
  }
}

interface OnSocket {
  readonly id: string;
  readonly subresource: string;
  readonly rest: string;
  readonly isUpgrade: boolean;
}

function onSocket(method: string, { id, subresource, rest, isUpgrade }: OnSocket): ResourceRequest {
  return {
    type: "resource",
    verb: verbOf(method),
    group: Socket.group,
    version: Socket.version,
    namespace: "",
    resource: Socket.plural,
    name: id,
    subresource,
    rest,
    isLongRunning: isUpgrade || subresource === "attach" || isEndless(rest),
  };
}

function resourceRequest(
  method: string,
  { segments, query, isUpgrade }: { readonly segments: string[]; readonly query: string; readonly isUpgrade: boolean },
): RequestInfo {
  const [group = "", version = "", ...rest] = segments;
  const isNamespaced = rest[0] === "namespaces" && rest.length > 2;
  const [namespace = "", resource = "", name = "", subresource = "", ...deeper] = isNamespaced ? rest.slice(1) : ["", ...rest];
  const named = [group, version, namespace, resource, name, subresource].filter((segment) => segment !== "");
  const bad = named.find((segment) => !isSegment(segment));
  if (bad !== undefined) return malformedSegment(bad);
  const isWatch = ENDLESS_QUERY.test(query);
  return {
    type: "resource",
    verb: collectionVerb(verbOf(method), { hasName: name !== "", isWatch }),
    group,
    version,
    namespace,
    resource,
    name,
    subresource,
    rest: (deeper.length === 0 ? "" : `/${deeper.join("/")}`) + query,
    isLongRunning: isUpgrade || isWatch || LONG_RUNNING_SUBRESOURCES.has(subresource),
  };
}

function verbOf(method: string): RequestVerb {
  switch (method) {
    case "GET":
    case "HEAD":
      return "get";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return "delete";
    default:
      return "";
  }
}

function collectionVerb(verb: RequestVerb, { hasName, isWatch }: { hasName: boolean; isWatch: boolean }): RequestVerb {
  if (hasName) return verb;
  if (verb === "get") return isWatch ? "watch" : "list";
  return verb === "delete" ? "deletecollection" : verb;
}

function isEndless(rest: string): boolean {
  return (rest.includes("watch") || rest.includes("follow")) && (ENDLESS_QUERY.test(rest) || rest.includes("/watch/"));
}

function isSegment(text: string): boolean {
  return text.length > 0 && text.length <= SEGMENT_LENGTH_MAX && SEGMENT.test(text) && text !== "." && text !== "..";
}

function malformedSegment(segment: string): MalformedRequest {
  return {
    type: "malformed",
    problem: `The path segment ${JSON.stringify(segment.slice(0, SEGMENT_LENGTH_MAX))} is not a plain name`,
  };
}
