// What of a pod template binds a replica to its node: read as the API server and kube-scheduler do.

import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { JsonObject } from "./json.ts";
import { hostPortsOf, podLabelsOf, volumesOf } from "./pod-place.ts";

const pod = (yaml: string): JsonObject => parse(yaml) as JsonObject;

test.each([
  ["{containers: [{ports: [{containerPort: 80}]}]}", []],
  ["{containers: [{ports: [{containerPort: 80, hostPort: 8080}]}]}", [{ port: 8080 }]],
  [
    "{containers: [{ports: [{hostPort: 53, protocol: UDP, hostIP: 10.0.0.1}]}]}",
    [{ port: 53, protocol: "UDP", hostIP: "10.0.0.1" }],
  ],
  ["{hostNetwork: true, containers: [{ports: [{containerPort: 80}]}]}", [{ port: 80 }]],
  ["{initContainers: [{ports: [{hostPort: 1}]}, {restartPolicy: Always, ports: [{hostPort: 2}]}]}", [{ port: 2 }]],
  ["{containers: [{ports: [{hostPort: no}]}, {}, 7]}", []],
])("ports of the host in %s", (yaml, expected) => {
  expect(hostPortsOf(pod(yaml))).toEqual(expected);
});

describe("labels of the pods are said", () => {
  const metadata = { labels: { app: "web", odd: 7 } };
  const affinity = (which: string, how: string, terms: string): JsonObject =>
    pod(`{affinity: {${which}: {${how}DuringSchedulingIgnoredDuringExecution: ${terms}}}}`);
  test.each([
    ["podAffinity", "required", "[{topologyKey: a}]", { app: "web" }],
    ["podAntiAffinity", "required", "[{topologyKey: a}]", { app: "web" }],
    ["podAntiAffinity", "required", "[]", undefined],
    ["podAntiAffinity", "preferred", "[{weight: 1}]", undefined],
    ["nodeAffinity", "required", "[{}]", undefined],
  ])("%s, %s: %s", (...[which, how, terms, expected]) => {
    expect(podLabelsOf(metadata, affinity(which, how, terms))).toEqual(expected);
  });
});

test("claims: shared ones by name, a replica's own by class", () => {
  const volumes = pod(`
volumes:
  - {name: a, persistentVolumeClaim: {claimName: data}}
  - {name: b, emptyDir: {}}
  - {name: c, ephemeral: {volumeClaimTemplate: {spec: {storageClassName: fast}}}}
`);
  expect(volumesOf(volumes, [{ metadata: { name: "d" }, spec: {} }])).toEqual([
    { claimName: "data" },
    { storageClassName: "fast" },
    {},
  ]);
  expect(volumesOf({}, undefined)).toEqual([]);
});
