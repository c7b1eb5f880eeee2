import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { KubeObject, ResourceType } from "#api/meta.ts";
import { countRequests, describeRequest, type RequestCounter } from "#test/framework/request-counter.ts";
import { startScriptedApiserver, type ScriptedApiserver } from "#test/framework/scripted-apiserver.ts";
import { createClient, type Client } from "./client.ts";
import { patchMetadataIfChanged, patchStatusIfChanged } from "./write-if-changed.ts";

interface Thing extends KubeObject {
  readonly status?: {
    readonly phase?: string | undefined;
    readonly counts?: Readonly<Record<string, number>>;
    readonly list?: readonly number[];
  };
}
const type: ResourceType<Thing> = { group: "g", version: "v1", kind: "Thing", plural: "things", scope: "Namespaced" };
const object: Thing = {
  apiVersion: "g/v1",
  kind: "Thing",
  metadata: { namespace: "ns", name: "a", uid: "u", resourceVersion: "7", labels: { keep: "1", drop: "2" } },
  status: { phase: "Ready", counts: { a: 1, b: 2 }, list: [1] },
};
const { signal } = new AbortController();
let server: ScriptedApiserver;
let counter: RequestCounter;
let client: Client;

beforeEach(async () => {
  server = await startScriptedApiserver((exchange) => exchange.json(object));
  counter = countRequests(server.connect());
  client = createClient(counter.connection, { component: "test" });
});

afterEach(async () => {
  await client.connection[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

test("a status that says the same is not sent, whatever the order of its members", async () => {
  const status = { list: [1], counts: { b: 2, a: 1 }, phase: "Ready" };
  expect(await patchStatusIfChanged(client, { type, object, status }, signal)).toBe(object);
  expect(await patchStatusIfChanged(client, { type, object, status: { phase: "Ready" } }, signal)).toBe(object);
  expect(counter.count()).toBe(0);
  counter.expectNoWrites();
});

test("a status sends only what differs, names what went away, and holds the object to its version", async () => {
  await patchStatusIfChanged(client, { type, object, status: { phase: undefined, counts: { a: 1, c: 3 }, list: [1] } }, signal);
  expect(server.exchanges[0]?.path).toBe("/apis/g/v1/namespaces/ns/things/a/status");
  expect(server.exchanges[0]?.body).toEqual({
    metadata: { resourceVersion: "7" },
    status: { phase: null, counts: { b: null, c: 3 } },
  });
  expect(() => counter.expectNoWrites()).toThrow("patch /apis/g/v1/namespaces/ns/things/a/status");
});

test("labels are sent only when they differ; null removes", async () => {
  expect(await patchMetadataIfChanged(client, { type, object, labels: { keep: "1", absent: null } }, signal)).toBe(object);
  expect(counter.count()).toBe(0);
  await patchMetadataIfChanged(client, { type, object, labels: { keep: "1", drop: null, add: "3" } }, signal);
  expect(server.exchanges[0]?.body).toEqual({ metadata: { uid: "u", resourceVersion: "7", labels: { drop: null, add: "3" } } });
});

test.each([
  ["GET", "/api/v1/namespaces/ns/pods?watch=1", "watch pods"],
  ["GET", "/api/v1/namespaces/ns/pods", "list pods"],
  ["GET", "/api/v1/pods", "list pods"],
  ["GET", "/api/v1/namespaces/ns", "get namespaces"],
  ["PUT", "/api/v1/namespaces/ns/finalize", "update namespaces/finalize"],
  ["PUT", "/apis/g/v1/namespaces/ns/things/a/status", "update things/status"],
  ["POST", "/api/v1/namespaces/ns/serviceaccounts/a/token", "create serviceaccounts/token"],
  ["POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", "other subjectaccessreviews"],
  ["PATCH", "/apis/g/v1/things/a?dryRun=All", "other things"],
  ["DELETE", "/apis/g/v1/things", "delete things"],
  ["GET", "/version", "other /version"],
])("the request counter calls %s %s: %s", (method, path, expected) => {
  const { verb, resource } = describeRequest(method, path);
  expect(`${verb} ${resource}`).toBe(expected);
});

test("what changed inside a long list travels alone, held to the version", async () => {
  const clusters = Array.from({ length: 100 }, (_, index) => ({ cluster: `cluster-${String(index)}`, state: "Progressing" }));
  const wanted = clusters.map((each, index) => (index === 7 ? { ...each, state: "Available" } : each));
  const listed = { ...object, status: { clusters } } as Thing;
  await patchStatusIfChanged(client, { type, object: listed, status: { clusters: wanted } as Thing["status"] }, signal);
  expect(server.exchanges[0]?.headers["content-type"]).toBe("application/json-patch+json");
  expect(server.exchanges[0]?.body).toEqual([
    { op: "replace", path: "/metadata/resourceVersion", value: "7" },
    { op: "replace", path: "/status/clusters/7/state", value: "Available" },
  ]);
});
