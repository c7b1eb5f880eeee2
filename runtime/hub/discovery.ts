// The documents that tell clients what the hub serves: /apis (plain and aggregated) and /openapi (v2 and v3). Pure.

import { Socket } from "#api/proxies/v1alpha1/socket.ts";

const groupVersion = `${Socket.group}/${Socket.version}`;
const base = `/apis/${groupVersion}`;
const groupVersions = [{ groupVersion, version: Socket.version }];

const apiGroup = {
  kind: "APIGroup",
  apiVersion: "v1",
  name: Socket.group,
  versions: groupVersions,
  preferredVersion: groupVersions[0],
} as const;

/** Legacy `/apis`. */
export const apiGroupList = { kind: "APIGroupList", apiVersion: "v1", groups: [apiGroup] } as const;

/** Legacy `/apis/<group>`. */
export { apiGroup };

/** Legacy `/api`: there is no core group here. */
export const apiVersions = { kind: "APIVersions", versions: [], serverAddressByClientCIDRs: [] } as const;

/** Legacy `/apis/<group>/<version>`. */
export const apiResourceList = {
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion,
  resources: [
    {
      name: Socket.plural,
      singularName: Socket.singular,
      namespaced: false,
      kind: Socket.kind,
      verbs: Socket.verbs,
      shortNames: Socket.shortNames,
      categories: Socket.categories,
    },
    ...Socket.subresources.map((subresource) => ({
      name: `${Socket.plural}/${subresource}`,
      singularName: "",
      namespaced: false,
      kind: Socket.kind,
      verbs: Socket.verbs,
    })),
  ],
} as const;

/** The media type of the aggregated form; what clients accept decides which form they get. */
export const AGGREGATED_DISCOVERY_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

const responseKind = { group: Socket.group, version: Socket.version, kind: Socket.kind };

/** Aggregated `/apis`. */
export const apiGroupDiscoveryList = {
  kind: "APIGroupDiscoveryList",
  apiVersion: "apidiscovery.k8s.io/v2",
  metadata: {},
  items: [
    {
      metadata: { name: Socket.group, creationTimestamp: null },
      versions: [
        {
          version: Socket.version,
          freshness: "Current",
          resources: [
            {
              resource: Socket.plural,
              responseKind,
              scope: "Cluster",
              singularResource: Socket.singular,
              verbs: Socket.verbs,
              shortNames: Socket.shortNames,
              categories: Socket.categories,
              subresources: Socket.subresources.map((subresource) => ({ subresource, responseKind, verbs: Socket.verbs })),
            },
          ],
        },
      ],
    },
  ],
} as const;

/** Aggregated `/api`. */
export const emptyDiscoveryList = { ...apiGroupDiscoveryList, items: [] } as const;

/** Do the media types in Accept name the aggregated form, v2, before plain JSON? */
export function wantsAggregatedDiscovery(accept: string | undefined): boolean {
  return (accept ?? "").split(",").some((range) => {
    const parameters = new Set(range.split(";").map((part) => part.trim().toLowerCase()));
    return parameters.has("g=apidiscovery.k8s.io") && parameters.has("v=v2") && parameters.has("as=apigroupdiscoverylist");
  });
}

const SCHEMA_NAME = "io.clusternet.proxies.v1alpha1.Socket";
const DESCRIPTION =
  "Socket is the tunnel of one child cluster. It is connected to, never read: sockets/{name}/proxy/direct/{path} is the child's API server.";

const socketSchema = {
  description: DESCRIPTION,
  type: "object",
  properties: {
    apiVersion: { description: "Version of the schema of this object.", type: "string" },
    kind: { description: "The REST resource this object represents.", type: "string" },
  },
  "x-kubernetes-group-version-kind": [responseKind],
} as const;

const METHODS = ["get", "post", "put", "patch", "delete"] as const;
const PATHS = ["/sockets/{name}/attach", "/sockets/{name}/proxy", "/sockets/{name}/proxy/{path}"] as const;
const PARAMETER_TEXTS: Readonly<Record<string, string>> = {
  name: "id of the cluster",
  path: "direct, and the path at the child's API server",
};

function operations(path: string, shape: { readonly parameter: (name: string) => unknown; readonly response: unknown }): unknown {
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => shape.parameter(name));
  const suffix = path
    .split("/")
    .slice(3)
    .map((part) => part.replace(/\W/g, ""))
    .map(capital)
    .join("");
  const one = (method: string): unknown => ({
    description: `${method.toUpperCase()} through the tunnel of a child cluster`,
    operationId: `connectProxiesClusternetIoV1alpha1${capital(method)}Socket${suffix}`,
    tags: ["proxiesClusternetIo_v1alpha1"],
    "x-kubernetes-action": "connect",
    "x-kubernetes-group-version-kind": responseKind,
    responses: { "200": shape.response },
  });
  return { ...Object.fromEntries(METHODS.map((method) => [method, one(method)])), parameters };
}

/** `/openapi/v2`. */
export function openApiV2(version: string): unknown {
  const shape = {
    parameter: (name: string) => ({
      name,
      in: "path",
      required: true,
      type: "string",
      uniqueItems: true,
      description: PARAMETER_TEXTS[name],
    }),
    response: { description: "OK", schema: { type: "string" } },
  };
  return {
    swagger: "2.0",
    info: { title: "clusternet-hub", version },
    paths: Object.fromEntries(PATHS.map((path) => [`${base}${path}`, operations(path, shape)])),
    definitions: { [SCHEMA_NAME]: socketSchema },
  };
}

/** `/openapi/v3/apis/<group>/<version>`. */
export function openApiV3(version: string): unknown {
  const shape = {
    parameter: (name: string) => ({
      name,
      in: "path",
      required: true,
      schema: { type: "string", uniqueItems: true },
      description: PARAMETER_TEXTS[name],
    }),
    response: { description: "OK", content: { "*/*": { schema: { type: "string" } } } },
  };
  return {
    openapi: "3.0.0",
    info: { title: "clusternet-hub", version },
    paths: Object.fromEntries(PATHS.map((path) => [`${base}${path}`, operations(path, shape)])),
    components: { schemas: { [SCHEMA_NAME]: socketSchema } },
  };
}

/** `/openapi/v3`; the hash lets clients cache the document for ever. */
export function openApiV3Index(hash: string): unknown {
  return { paths: { [base.slice(1)]: { serverRelativeURL: `/openapi/v3${base}?hash=${hash}` } } };
}

export const OPENAPI_V3_PATH = `/openapi/v3${base}`;
export const GROUP_PATH = `/apis/${Socket.group}`;
export const GROUP_VERSION_PATH = base;

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
