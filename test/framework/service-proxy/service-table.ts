// Services and EndpointSlices -> which addresses to listen on, and the processes behind each. Pure.

import type { Service } from "kubernetes-types/core/v1.js";
import type { EndpointSlice } from "kubernetes-types/discovery/v1.js";
import { listenAddressOf } from "#test/framework/address-slot.ts";

export interface Backend {
  readonly host: string;
  readonly port: number;
}

export interface Route {
  readonly host: string;
  readonly port: number;
  /** `namespace/name:port`, for messages. */
  readonly service: string;
  readonly backends: readonly Backend[];
}

/** Services without an address, ports that are not TCP, and endpoints that are no processes of this bed are left out. */
export function routesOf(services: readonly Service[], slices: readonly EndpointSlice[]): Map<string, Route> {
  const routes = new Map<string, Route>();
  for (const { metadata, spec } of services) {
    const host = spec?.clusterIP;
    if (host === undefined || host === "" || host === "None") continue;
    const own = slices.filter(
      (slice) =>
        slice.metadata?.namespace === metadata?.namespace &&
        slice.metadata?.labels?.["kubernetes.io/service-name"] === metadata?.name,
    );
    for (const { name = "", port, protocol = "TCP" } of spec?.ports ?? []) {
      if (protocol !== "TCP") continue;
      const backends = own.flatMap((slice) => backendsOf(slice, name));
      const service = `${metadata?.namespace ?? ""}/${metadata?.name ?? ""}:${String(port)}`;
      if (backends.length > 0) routes.set(`${host}:${String(port)}`, { host, port, service, backends });
    }
  }
  return routes;
}

function backendsOf({ endpoints, ports }: EndpointSlice, portName: string): Backend[] {
  const port = (ports ?? []).find(({ name }) => (name ?? "") === portName)?.port;
  if (port === undefined) return [];
  return endpoints
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses }) => addresses)
    .flatMap((address) => {
      const host = listenAddressOf(address);
      return host === undefined ? [] : [{ host, port }];
    });
}
