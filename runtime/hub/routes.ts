// Resource -> handler, one table. What is not proxied is served by Express.

import express, { type Express, type Request, type Response } from "express";
import { groups } from "#api/names.ts";
import { Socket } from "#api/proxies/v1alpha1/socket.ts";
import { canonicalHash } from "#std/canonical-json.ts";
import type { HealthCheck } from "#std/health-server.ts";
import { toError } from "#std/errors.ts";
import {
  AGGREGATED_DISCOVERY_TYPE,
  apiGroup,
  apiGroupDiscoveryList,
  apiGroupList,
  apiResourceList,
  apiVersions,
  emptyDiscoveryList,
  GROUP_PATH,
  GROUP_VERSION_PATH,
  OPENAPI_V3_PATH,
  openApiV2,
  openApiV3,
  openApiV3Index,
  wantsAggregatedDiscovery,
} from "./discovery.ts";
import type { Exchange, Filter } from "./handler-chain.ts";
import type { ResourceRequest } from "./request-info.ts";
import { RequestError, respondJson, respondText } from "./respond.ts";

export interface SocketHandlers {
  readonly attach: (exchange: Exchange, clusterId: string) => Promise<void>;
  readonly proxy: (exchange: Exchange, info: ResourceRequest) => void;
}

export interface RoutesOptions {
  readonly sockets: SocketHandlers;
  readonly readiness: Readonly<Record<string, HealthCheck>>;
  readonly version: string;
}

/** The last filter: answers. */
export function createRoutes({ sockets, readiness, version }: RoutesOptions): Filter {
  const documents = createDocuments({ readiness, version });
  return (exchange) => {
    const { info, channel } = exchange;
    if (
      info.type === "resource" &&
      info.group === groups.proxies &&
      info.resource === Socket.plural &&
      info.version === Socket.version
    ) {
      if (info.subresource === "proxy") {
        sockets.proxy(exchange, info);
        return undefined;
      }
      // Something below it is something else.
      if (info.subresource === "attach" && info.rest === "") return sockets.attach(exchange, info.name);
      throw socketProblem(info);
    }
    if (channel.type === "upgrade") throw new RequestError("BadRequest", { message: "Nothing at this path switches protocols" });
    const { request } = exchange;
    const { response } = channel;
    return new Promise((resolve, reject) => {
      response.once("close", resolve);
      // Express calls this when no route matches, and for what a route throws.
      documents(request as Request, response as Response, (error?: unknown) => {
        reject(
          error === undefined ? new RequestError("NotFound", { message: "The hub serves nothing at this path" }) : toError(error),
        );
      });
    });
  };
}

function socketProblem({ subresource, rest, name }: ResourceRequest): RequestError {
  if (subresource !== "") {
    return new RequestError("NotFound", {
      message: `Nothing is served at sockets/{id}/${subresource}${rest === "" ? "" : "/…"}; use sockets/{id}/proxy/direct/{path}`,
    });
  }
  const what = name === "" ? "Sockets cannot be listed" : "A socket is not an object";
  return new RequestError("MethodNotAllowed", {
    message: `${what}; use sockets/{id}/proxy/direct/{path} for a child's API server, sockets/{id}/attach for its agent`,
  });
}

function createDocuments({ readiness, version }: Pick<RoutesOptions, "readiness" | "version">): Express {
  const app = express();
  app.disable("x-powered-by").disable("etag").enable("case sensitive routing");
  const json = (path: string, body: (request: Request) => unknown): void => {
    app.get(path, (request, response) => {
      respondJson({ request, response }, body(request));
    });
  };
  const discovery = (path: string, documents: { readonly plain: unknown; readonly aggregated: unknown }): void => {
    app.get(path, (request, response) => {
      const isAggregated = wantsAggregatedDiscovery(request.headers.accept);
      const headers = { vary: "Accept" };
      if (isAggregated)
        respondJson({ request, response }, documents.aggregated, { contentType: AGGREGATED_DISCOVERY_TYPE, headers });
      else respondJson({ request, response }, documents.plain, { headers });
    });
  };
  discovery("/api", { plain: apiVersions, aggregated: emptyDiscoveryList });
  discovery("/apis", { plain: apiGroupList, aggregated: apiGroupDiscoveryList });
  json(GROUP_PATH, () => apiGroup);
  json(GROUP_VERSION_PATH, () => apiResourceList);
  addOpenApi(app, version);
  json("/version", () => versionInfo(version));
  app.get(["/livez", "/healthz"], (_request, response) => {
    respondText(response, "ok");
  });
  app.get("/readyz", (_request, response) => {
    const results = Object.entries(readiness).map(([name, check]) => ({ name, problem: check() }));
    const lines = results.map(({ name, problem }) => (problem === undefined ? `[+]${name} ok` : `[-]${name} failed: ${problem}`));
    const isReady = results.every(({ problem }) => problem === undefined);
    respondText(response, isReady ? "ok" : `${lines.join("\n")}\nreadyz check failed\n`, isReady ? 200 : 503);
  });
  return app;
}

function addOpenApi(app: Express, version: string): void {
  const v2 = openApiV2(version);
  const v3 = openApiV3(version);
  const serve = (path: string, body: unknown): void => {
    const etag = `"${canonicalHash(body)}"`;
    app.get(path, (request, response) => {
      if (request.headers["if-none-match"] === etag) response.writeHead(304, { etag }).end();
      else respondJson({ request, response }, body, { headers: { etag, vary: "Accept" } });
    });
  };
  serve("/openapi/v2", v2);
  serve("/openapi/v3", openApiV3Index(canonicalHash(v3)));
  serve(OPENAPI_V3_PATH, v3);
}

/** The form of kube-apiserver's /version, which `kubectl version` reads. */
function versionInfo(version: string): unknown {
  const [major = "0", minor = "0"] = version.split(".");
  const platform = `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`;
  return {
    major,
    minor,
    gitVersion: `v${version}`,
    gitCommit: "",
    gitTreeState: "",
    buildDate: "",
    goVersion: "",
    compiler: "node",
    platform,
  };
}
