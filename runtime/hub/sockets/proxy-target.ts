// The part of the URL after `sockets/<id>/proxy` -> where in the child it goes. Pure.

import { predictorPaths } from "#api/proxies/v1alpha1/predictor.ts";
import { PREDICTOR_HOST } from "#api/proxies/v1alpha1/socket.ts";

export type ProxyTarget =
  /** The child's apiserver. `path` is the raw path and query to send it. */
  | { readonly type: "apiserver"; readonly path: string }
  /** The child's agent itself, which tells its cluster's capacity. */
  | { readonly type: "predictor"; readonly path: string }
  /** A host and port inside the child's network: absent until an administrator of the child allows it. */
  | { readonly type: "not-allowed"; readonly message: string }
  | { readonly type: "unknown"; readonly message: string };

const DIRECT = "/direct";
const PREDICTOR = "/predictor/";
/** As upstream's scheduler asks: it knows only an address, which our agents say is this. */
const PREDICTOR_AS_ADDRESS: ReadonlySet<string> = new Set(
  Object.values(predictorPaths).map((path) => `/http/${PREDICTOR_HOST}${path}`),
);

/** `rest` is raw: "" or starts with / or ?. Nothing is decoded, joined or cleaned: the child sees the bytes that the client sent. */
export function proxyTarget(rest: string): ProxyTarget {
  if (rest.startsWith(DIRECT)) {
    const next = rest.charCodeAt(DIRECT.length);
    if (next === SLASH) return { type: "apiserver", path: rest.slice(DIRECT.length) };
    if (next === QUESTION_MARK) return { type: "apiserver", path: `/${rest.slice(DIRECT.length)}` };
    if (Number.isNaN(next)) return { type: "apiserver", path: "/" };
  }
  if (rest.startsWith(PREDICTOR)) return { type: "predictor", path: rest.slice(PREDICTOR.length - 1) };
  if (PREDICTOR_AS_ADDRESS.has(rest)) return { type: "predictor", path: rest.slice(`/http/${PREDICTOR_HOST}`.length) };
  const form = /^\/([^/?]*)/.exec(rest)?.[1] ?? "";
  if (form === "http" || form === "https") {
    return {
      type: "not-allowed",
      message: `The form proxy/${form}/<host> reaches any address in the child's network and is not available; use proxy/direct/<path> for the child's API server (a Service: proxy/direct/api/v1/namespaces/<namespace>/services/<name>:<port>/proxy/)`,
    };
  }
  return {
    type: "unknown",
    message: `Expected sockets/<id>/proxy/direct/<path> or proxy/predictor/<path>, got sockets/<id>/proxy${form === "" ? "" : `/${form.slice(0, FORM_LENGTH_MAX)}`}`,
  };
}

/** Longer ones are cut in messages. */
const FORM_LENGTH_MAX = 64;
const SLASH = 47;
const QUESTION_MARK = 63;
