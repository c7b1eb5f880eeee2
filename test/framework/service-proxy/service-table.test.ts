// routesOf: which Services are listened on, and who is behind them.
import { expect, test } from "@jest/globals";
import type { Service } from "kubernetes-types/core/v1.js";
import type { EndpointSlice } from "kubernetes-types/discovery/v1.js";
import { routesOf } from "#test/framework/service-proxy/service-table.ts";

const service = (clusterIP: string, ports: NonNullable<Service["spec"]>["ports"]): Service => ({
  metadata: { name: "web", namespace: "ns" },
  spec: { clusterIP, ...(ports === undefined ? {} : { ports }) },
});

const slice = (addresses: string[], ready?: boolean): EndpointSlice => ({
  addressType: "IPv4",
  metadata: { namespace: "ns", labels: { "kubernetes.io/service-name": "web" } },
  ports: [{ name: "http", port: 8080 }],
  endpoints: [{ addresses, conditions: ready === undefined ? {} : { ready } }],
});

const http = [{ name: "http", port: 80 }];

test.each([
  {
    it: "maps pod addresses to those that processes listen on",
    services: [service("127.20.0.9", http)],
    slices: [slice(["10.244.7.1"])],
    behind: ["127.20.0.9:80 > 127.244.7.1:8080"],
  },
  {
    it: "leaves out endpoints that are not ready",
    services: [service("127.20.0.9", http)],
    slices: [slice(["10.244.7.1"], false), slice(["10.244.7.2"], true)],
    behind: ["127.20.0.9:80 > 127.244.7.2:8080"],
  },
  { it: "does not listen for a Service without endpoints", services: [service("127.20.0.9", http)], slices: [], behind: [] },
  {
    it: "ignores addresses that are no processes of ours",
    services: [service("127.20.0.9", http)],
    slices: [slice(["10.0.0.1"])],
    behind: [],
  },
  { it: "ignores headless Services", services: [service("None", http)], slices: [slice(["10.244.7.1"])], behind: [] },
  {
    it: "ignores UDP",
    services: [service("127.20.0.9", [{ name: "http", port: 80, protocol: "UDP" }])],
    slices: [slice(["10.244.7.1"])],
    behind: [],
  },
  {
    it: "matches ports by name",
    services: [service("127.20.0.9", [{ name: "other", port: 80 }])],
    slices: [slice(["10.244.7.1"])],
    behind: [],
  },
])("routesOf $it", ({ services, slices, behind }) => {
  const routes = [...routesOf(services, slices)];
  expect(
    routes.flatMap(([address, { backends }]) => backends.map(({ host, port }) => `${address} > ${host}:${String(port)}`)),
  ).toEqual(behind);
});
