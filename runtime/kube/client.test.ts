import { afterEach, describe, expect, test } from "@jest/globals";
import type { ResourceType } from "#api/meta.ts";
import { eventually } from "#test/framework/eventually.ts";
import { startScriptedApiserver, type Exchange, type ScriptedApiserver } from "#test/framework/scripted-apiserver.ts";
import { ConfigMap, Deployment, Namespace } from "./builtin-kinds.ts";
import { createClient, type Client, type ClientOptions } from "./client.ts";
import { connect } from "./connection.ts";
import { ApiError } from "./errors.ts";

const stack: AsyncDisposable[] = [];
const { signal } = new AbortController();

afterEach(async () => {
  for (const each of stack.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function start(
  answer: (exchange: Exchange) => void,
  options: Partial<ClientOptions> = {},
): Promise<{ server: ScriptedApiserver; client: Client }> {
  const server = await startScriptedApiserver(answer);
  const client = createClient(server.connect({ token: "t" }), { component: "test", ...options });
  stack.push(server, client.connection);
  return { server, client };
}

const aConfigMap: ConfigMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "ns", name: "a" } };

const requests: {
  readonly it: string;
  readonly send: (client: Client) => Promise<unknown>;
  readonly line: string;
  readonly type?: string;
  readonly body?: unknown;
}[] = [
  {
    it: "get",
    send: (client) => client.get(ConfigMap, { namespace: "ns", name: "a" }, signal),
    line: "GET /api/v1/namespaces/ns/configmaps/a",
  },
  {
    it: "get of a cluster-scoped object",
    send: (client) => client.get(Namespace, { name: "ns" }, signal),
    line: "GET /api/v1/namespaces/ns",
  },
  {
    it: "get of a group",
    send: (client) => client.get(Deployment, { namespace: "ns", name: "a" }, signal),
    line: "GET /apis/apps/v1/namespaces/ns/deployments/a",
  },
  {
    it: "create",
    send: (client) => client.create(ConfigMap, aConfigMap, signal),
    line: "POST /api/v1/namespaces/ns/configmaps",
    type: "application/json",
    body: aConfigMap,
  },
  {
    it: "update",
    send: (client) => client.update(ConfigMap, aConfigMap, signal),
    line: "PUT /api/v1/namespaces/ns/configmaps/a",
    type: "application/json",
    body: aConfigMap,
  },
  {
    it: "update of status",
    send: (client) => client.updateStatus(ConfigMap, aConfigMap, signal),
    line: "PUT /api/v1/namespaces/ns/configmaps/a/status",
    type: "application/json",
    body: aConfigMap,
  },
  {
    it: "merge patch",
    send: (client) => client.patch(ConfigMap, { namespace: "ns", name: "a" }, { type: "merge", body: { data: null } }, signal),
    line: "PATCH /api/v1/namespaces/ns/configmaps/a",
    type: "application/merge-patch+json",
    body: { data: null },
  },
  {
    it: "JSON patch of a subresource, as a dry run",
    send: (client) =>
      client.patch(
        ConfigMap,
        { namespace: "ns", name: "a" },
        { type: "json", body: [], subresource: "status", dryRun: true },
        signal,
      ),
    line: "PATCH /api/v1/namespaces/ns/configmaps/a/status?dryRun=All",
    type: "application/json-patch+json",
    body: [],
  },
  {
    it: "apply",
    send: (client) => client.apply(ConfigMap, aConfigMap, { fieldManager: "m", force: true }, signal),
    line: "PATCH /api/v1/namespaces/ns/configmaps/a?fieldManager=m&force=true",
    type: "application/apply-patch+yaml",
    body: aConfigMap,
  },
  {
    it: "delete with preconditions",
    send: (client) =>
      client.delete(ConfigMap, { namespace: "ns", name: "a" }, { uid: "u", propagationPolicy: "Foreground" }, signal),
    line: "DELETE /api/v1/namespaces/ns/configmaps/a",
    type: "application/json",
    body: { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Foreground", preconditions: { uid: "u" } },
  },
];

test.each(requests)("a client sends a $it as Kubernetes wants it", async ({ send, line, type, body }) => {
  const { client, server } = await start((exchange) => exchange.json(aConfigMap));
  await send(client);
  const [exchange] = server.exchanges;
  const query = exchange?.query.toString() ?? "";
  expect(`${exchange?.method ?? ""} ${exchange?.path ?? ""}${query === "" ? "" : `?${query}`}`).toBe(line);
  expect(exchange?.headers["content-type"]).toBe(type);
  expect(exchange?.body).toEqual(body);
  expect(exchange?.headers.authorization).toBe("Bearer t");
  expect(exchange?.headers["user-agent"]).toMatch(/^clusternet-test\/\d+\.\d+\.\d+/);
});

describe("a client", () => {
  test("says undefined for an object that is not there, and false when it deletes one", async () => {
    const { client } = await start((exchange) => exchange.fail(404, "NotFound"));
    expect(await client.get(ConfigMap, { namespace: "ns", name: "a" }, signal)).toBeUndefined();
    expect(await client.delete(ConfigMap, { namespace: "ns", name: "a" }, {}, signal)).toBe(false);
    await expect(client.update(ConfigMap, aConfigMap, signal)).rejects.toMatchObject({ reason: "NotFound" });
  });

  test("reads a list page by page", async () => {
    const { client, server } = await start(({ query, json }) => {
      const at = Number(query.get("continue") ?? "0");
      const isLast = at === 2;
      json({
        metadata: { resourceVersion: "9", ...(isLast ? {} : { continue: String(at + 1) }) },
        items: [{ metadata: { name: `n${at}` } }],
      });
    });
    const { items, resourceVersion } = await client.list(ConfigMap, { namespace: "ns", labelSelector: "a=b" }, signal);
    expect(items.map(({ kind, apiVersion, metadata }) => [apiVersion, kind, metadata.name])).toEqual([
      ["v1", "ConfigMap", "n0"],
      ["v1", "ConfigMap", "n1"],
      ["v1", "ConfigMap", "n2"],
    ]);
    expect(resourceVersion).toBe("9");
    expect(server.exchanges.map(({ query }) => [query.get("limit"), query.get("labelSelector")])).toEqual(
      Array.from({ length: 3 }, () => ["500", "a=b"]),
    );
  });

  test("takes a list in one piece when its pages were compacted away half way", async () => {
    const { client, server } = await start((exchange) => {
      if (exchange.query.has("continue")) exchange.fail(410, "Expired");
      else if (exchange.query.has("limit"))
        exchange.json({ metadata: { resourceVersion: "1", continue: "x" }, items: [{ metadata: { name: "old" } }] });
      else
        exchange.json({ metadata: { resourceVersion: "2" }, items: [{ metadata: { name: "a" } }, { metadata: { name: "b" } }] });
    });
    const { items } = await client.list(ConfigMap, {}, signal);
    expect(items.map(({ metadata }) => metadata.name)).toEqual(["a", "b"]);
    expect(server.exchanges).toHaveLength(3);
  });

  test("turns a Status into an ApiError with its reason and when to come back", async () => {
    const { client } = await start((exchange) =>
      exchange.fail(429, "TooManyRequests", { headers: { "retry-after": "7" }, message: "slow down" }),
    );
    const error = await client.create(ConfigMap, aConfigMap, signal).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ reason: "TooManyRequests", code: 429, retryAfterMs: 7_000 });
    expect(String(error)).toContain("POST /api/v1/namespaces/ns/configmaps: slow down");
  });

  test("tells a Conflict from an AlreadyExists, though both are 409", async () => {
    const { client } = await start((exchange) => exchange.fail(409, exchange.method === "PUT" ? "Conflict" : "AlreadyExists"));
    await expect(client.update(ConfigMap, aConfigMap, signal)).rejects.toMatchObject({ reason: "Conflict" });
    await expect(client.create(ConfigMap, aConfigMap, signal)).rejects.toMatchObject({ reason: "AlreadyExists" });
  });

  test("understands a proxy that answers with text", async () => {
    const { client } = await start((exchange) => exchange.text("Bad gateway", { status: 502 }));
    await expect(client.get(ConfigMap, { namespace: "ns", name: "a" }, signal)).rejects.toMatchObject({
      reason: "ServiceUnavailable",
      code: 502,
    });
  });

  test("gives up a request that takes too long", async () => {
    const { client } = await start((exchange) => exchange.hang(), { requestTimeoutMs: 50 });
    await expect(client.get(ConfigMap, { namespace: "ns", name: "a" }, signal)).rejects.toMatchObject({ reason: "TimedOut" });
  });

  test("passes on the reason of an abort as it is", async () => {
    const { client } = await start((exchange) => exchange.hang());
    const stopping = new AbortController();
    const pending = client.get(ConfigMap, { namespace: "ns", name: "a" }, stopping.signal);
    const reason = new Error("Enough");
    setTimeout(() => stopping.abort(reason), 20);
    await expect(pending).rejects.toBe(reason);
  });

  test("calls a server that is not there unreachable", async () => {
    const client = createClient(connect({ server: "http://127.0.0.1:1" }), { component: "test" });
    stack.push(client.connection);
    await expect(client.list(ConfigMap, {}, signal)).rejects.toMatchObject({ reason: "Unreachable" });
  });

  test("asks once more when an idle connection was closed under a get, and never for a write", async () => {
    let drops = 0;
    const { client, server } = await start((exchange) => {
      if (drops > 0) {
        drops -= 1;
        exchange.drop();
      } else exchange.json(aConfigMap);
    });
    drops = 1;
    expect(await client.get(ConfigMap, { namespace: "ns", name: "a" }, signal)).toEqual(aConfigMap);
    drops = 1;
    await expect(client.create(ConfigMap, aConfigMap, signal)).rejects.toMatchObject({ reason: "Unreachable" });
    expect(server.exchanges.filter(({ method }) => method === "POST")).toHaveLength(1);
  });

  test("has a bounded number of requests in flight; the others wait their turn", async () => {
    const open: Exchange[] = [];
    const { client } = await start((exchange) => open.push(exchange), { requestsInFlightMax: 2 });
    const all = Array.from({ length: 5 }, () => client.get(ConfigMap, { namespace: "ns", name: "a" }, signal));
    await eventually("two have arrived", () => open.length === 2);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(open).toHaveLength(2);
    for (let answered = 0; answered < 5; answered += 1) {
      const next = await eventually("the next has arrived", () => open.shift());
      next.json(aConfigMap);
    }
    expect(await Promise.all(all)).toHaveLength(5);
  });

  test("lets a waiting request be aborted without taking a turn", async () => {
    const open: Exchange[] = [];
    const { client } = await start((exchange) => open.push(exchange), { requestsInFlightMax: 1 });
    const key = { namespace: "ns", name: "a" };
    const first = client.get(ConfigMap, key, signal);
    const stopping = new AbortController();
    const second = client.get(ConfigMap, key, stopping.signal);
    const third = client.get(ConfigMap, key, signal);
    stopping.abort(new Error("Enough"));
    await expect(second).rejects.toThrow("Enough");
    (await eventually("the first has arrived", () => open.shift())).json(aConfigMap);
    (await eventually("the third has arrived", () => open.shift())).json(aConfigMap);
    expect(await Promise.all([first, third])).toHaveLength(2);
  });

  test("keeps to the path prefix of a server", async () => {
    const server = await startScriptedApiserver((exchange) => exchange.json(aConfigMap));
    const client = createClient(connect({ server: `${server.server}/k8s/clusters/c-1/` }), { component: "test" });
    stack.push(server, client.connection);
    await client.get(ConfigMap, { namespace: "ns", name: "a" }, signal);
    expect(server.exchanges[0]?.path).toBe("/k8s/clusters/c-1/api/v1/namespaces/ns/configmaps/a");
  });

  test("refuses a namespaced object without a namespace: it would act on the whole collection", () => {
    const type: ResourceType = ConfigMap;
    const client = createClient(connect({ server: "http://127.0.0.1:1" }), { component: "test" });
    stack.push(client.connection);
    return expect(client.delete(type, { name: "a" }, {}, signal)).rejects.toThrow("namespaced");
  });

  test("uses its connections again", async () => {
    const ports = new Set<number | undefined>();
    const { client } = await start((exchange) => {
      ports.add(exchange.remotePort);
      exchange.json(aConfigMap);
    });
    for (let index = 0; index < 20; index += 1) await client.get(ConfigMap, { namespace: "ns", name: "a" }, signal);
    expect(ports.size).toBeLessThanOrEqual(2);
  });
});
