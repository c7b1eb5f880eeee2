// The client, informers, leader election and apply on a real kube-apiserver.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { realClock } from "#std/clock.ts";
import { silentLogger } from "#std/log.ts";
import { startControlPlane, type ControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import { createTestNamespace } from "#test/framework/namespaces.ts";
import { countRequests, type RequestCounter } from "#test/framework/request-counter.ts";
import { ConfigMap, Deployment, Event, Lease, Namespace, ServiceAccount } from "./builtin-kinds.ts";
import { createClient, type Client } from "./client.ts";
import { connect, connectKubeconfig } from "./connection.ts";
import { createDiscovery } from "./discovery.ts";
import { createEventRecorder } from "./events.ts";
import { addFinalizer, removeFinalizer } from "./finalizers.ts";
import { createInformer, type Change, type Informer } from "./informer.ts";
import { createLeaderElection } from "./leader-election.ts";
import { createApplier } from "./server-side-apply.ts";
import { listAndWatch } from "./watch.ts";

const { signal } = new AbortController();
const cleanups: (() => Promise<void>)[] = [];
let controlPlane: ControlPlane;
let counter: RequestCounter;
let client: Client;
let namespace: string;

beforeAll(async () => {
  // Its own control plane: these tests restart the API server.
  controlPlane = await startControlPlane({ name: "kube-tests" });
  counter = countRequests(await connectKubeconfig({ path: controlPlane.adminKubeconfig }));
  client = createClient(counter.connection, { component: "test" });
  namespace = await createTestNamespace(controlPlane, "kube");
});

afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

afterAll(async () => {
  await client.connection[Symbol.asyncDispose]();
  await controlPlane[Symbol.asyncDispose]();
});

const configMap = (name: string, data: Readonly<Record<string, string>> = {}): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace, name },
  data,
});

function startInformer(
  own: Client = client,
  labelSelector?: string,
): { informer: Informer<ConfigMap>; changes: string[]; stop: () => Promise<void> } {
  const stopping = new AbortController();
  const informer = createInformer(own, ConfigMap, {
    namespace,
    clock: realClock,
    log: silentLogger,
    ...(labelSelector === undefined ? {} : { labelSelector }),
  });
  const changes: string[] = [];
  informer.subscribe((change: Change<ConfigMap>) =>
    changes.push(`${change.type} ${(change.type === "deleted" ? change.previous : change.object).metadata.name}`),
  );
  const running = informer.run(stopping.signal);
  const stop = async (): Promise<void> => {
    stopping.abort(new Error("Enough"));
    await running;
  };
  cleanups.push(stop);
  return { informer, changes, stop };
}

describe("a client on a real API server", () => {
  test("lists 1,200 objects in three pages, each once", async () => {
    const names = Array.from({ length: 1_200 }, (_, index) => `page-${index}`);
    await Promise.all(
      names.map((name) =>
        client.create(ConfigMap, { ...configMap(name), metadata: { namespace, name, labels: { set: "pages" } } }, signal),
      ),
    );
    counter.reset();
    const { items, resourceVersion } = await client.list(ConfigMap, { namespace, labelSelector: "set=pages" }, signal);
    expect(new Set(items.map(({ metadata }) => metadata.name))).toEqual(new Set(names));
    expect(items).toHaveLength(1_200);
    expect(items.every(({ kind }) => kind === "ConfigMap")).toBe(true);
    expect(resourceVersion).not.toBe("");
    expect(counter.count({ verb: "list" })).toBe(3);
  });

  test("creates, reads, patches, updates and deletes; unknown fields survive", async () => {
    const created = await client.create(ConfigMap, configMap("crud", { a: "1" }), signal);
    await expect(client.create(ConfigMap, configMap("crud"), signal)).rejects.toMatchObject({ reason: "AlreadyExists" });
    const patched = await client.patch(ConfigMap, created.metadata, { type: "merge", body: { data: { b: "2" } } }, signal);
    expect(patched.data).toEqual({ a: "1", b: "2" });
    await expect(client.update(ConfigMap, created, signal)).rejects.toMatchObject({ reason: "Conflict" });
    const updated = await client.update(ConfigMap, { ...patched, immutable: true }, signal);
    expect(updated).toMatchObject({ immutable: true, data: { a: "1", b: "2" } });
    await expect(client.delete(ConfigMap, { namespace, name: "crud" }, { uid: "another" }, signal)).rejects.toMatchObject({
      reason: "Conflict",
    });
    expect(await client.delete(ConfigMap, { namespace, name: "crud" }, {}, signal)).toBe(true);
    expect(await client.delete(ConfigMap, { namespace, name: "crud" }, {}, signal)).toBe(false);
  });

  test("says in the error which field is wrong", async () => {
    const wrong = { ...configMap("wrong"), metadata: { namespace, name: "Wrong_Name" } };
    await expect(client.create(ConfigMap, wrong, signal)).rejects.toMatchObject({
      reason: "Invalid",
      status: { details: { causes: [{ field: "metadata.name" }] } },
    });
  });

  test("resolves kinds as the server serves them", async () => {
    const discovery = createDiscovery({ client, clock: realClock });
    expect(await discovery.resolve("v1", "Namespace", signal)).toEqual(Namespace);
    expect(await discovery.resolve("apps/v1", "Deployment", signal)).toEqual(Deployment);
    expect(await discovery.resolve("apps/v1", "Unheard", signal)).toBeUndefined();
    expect(await discovery.resolve("no.such/v1", "Thing", signal)).toBeUndefined();
  });

  test("adds and removes a finalizer, and sends nothing when that is done already", async () => {
    const object = await client.create(ConfigMap, configMap("finalized"), signal);
    const change = { type: ConfigMap, finalizer: "clusternet.io/test" };
    const held = await addFinalizer(client, { ...change, object }, signal);
    await client.delete(ConfigMap, { namespace, name: "finalized" }, {}, signal);
    const dying = await client.get(ConfigMap, { namespace, name: "finalized" }, signal);
    expect(dying?.metadata.deletionTimestamp).toBeDefined();
    await expect(removeFinalizer(client, { ...change, object: held }, signal)).rejects.toMatchObject({ reason: "Conflict" });
    counter.reset();
    expect(await addFinalizer(client, { ...change, object: held }, signal)).toBe(held);
    counter.expectNoWrites();
    await removeFinalizer(client, { ...change, object: dying! }, signal);
    expect(await client.get(ConfigMap, { namespace, name: "finalized" }, signal)).toBeUndefined();
  });

  test("records an Event once and counts it up", async () => {
    const object = await client.create(ConfigMap, configMap("eventful"), signal);
    const recorder = createEventRecorder({ client, component: "clusternet-test", clock: realClock });
    const note = { type: "Warning", reason: "Tested", message: "x".repeat(2_000) } as const;
    recorder.record(object, note);
    await recorder.flush();
    recorder.record(object, note);
    recorder.record(object, note);
    await recorder.flush();
    const { items } = await client.list(Event, { namespace, fieldSelector: "involvedObject.name=eventful" }, signal);
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({ count: 3, reason: "Tested", type: "Warning", source: { component: "clusternet-test" } });
    expect(items[0]?.message).toHaveLength(1_024);
  });
});

describe("an informer on a real API server", () => {
  test("goes through a restart of the API server: nothing lost, nothing invented", async () => {
    await client.create(
      ConfigMap,
      { ...configMap("before"), metadata: { namespace, name: "before", labels: { set: "restart" } } },
      signal,
    );
    await client.create(
      ConfigMap,
      { ...configMap("deleted"), metadata: { namespace, name: "deleted", labels: { set: "restart" } } },
      signal,
    );
    const { informer, changes } = startInformer(client, "set=restart");
    await informer.whenSynced(signal);
    await controlPlane.restartApiserver();
    await eventually("writes work again", () =>
      client.create(
        ConfigMap,
        { ...configMap("after"), metadata: { namespace, name: "after", labels: { set: "restart" } } },
        signal,
      ),
    );
    await client.delete(ConfigMap, { namespace, name: "deleted" }, {}, signal);
    await eventually(
      "the cache is right",
      () => informer.get(`${namespace}/after`) !== undefined && informer.get(`${namespace}/deleted`) === undefined,
    );
    expect(changes).toEqual(["added before", "added deleted", "added after", "deleted deleted"]);
  });

  test("lists again when its version is too old for the server", async () => {
    const stopping = new AbortController();
    // A watch that claims to have seen version 1, which a restarted server no longer has.
    let isFirst = true;
    const old: Client = {
      ...client,
      list: async (type, options, own) => {
        const answer = await client.list(type, options, own);
        const resourceVersion = isFirst ? "1" : answer.resourceVersion;
        isFirst = false;
        return { ...answer, resourceVersion };
      },
    };
    const lists: number[] = [];
    for await (const change of listAndWatch(old, ConfigMap, {
      namespace,
      clock: realClock,
      log: silentLogger,
      signal: stopping.signal,
    })) {
      if (change.type === "listed") lists.push(change.objects.length);
      if (lists.length === 2) break;
    }
    stopping.abort(new Error("Enough"));
    expect(lists[0]).toBeGreaterThan(0);
    expect(lists[1]).toBe(lists[0]);
  });

  test("goes on with a new token when the old one is no longer accepted", async () => {
    const account = { namespace, name: "reader" };
    await client.create(ServiceAccount, { apiVersion: "v1", kind: "ServiceAccount", metadata: account }, signal);
    const issue = async (): Promise<string> => (await client.createToken(account, { expirationSeconds: 600 }, signal)).token;
    const revoked = await issue();
    // Deleting the account revokes its tokens; the new account has the same name and another uid.
    await client.delete(ServiceAccount, account, {}, signal);
    await client.create(ServiceAccount, { apiVersion: "v1", kind: "ServiceAccount", metadata: account }, signal);
    await client.request(
      {
        method: "POST",
        path: `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`,
        body: {
          metadata: { name: "reader" },
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
          subjects: [{ kind: "ServiceAccount", ...account }],
        },
      },
      signal,
    );
    let token = revoked;
    let asked = 0;
    const connection = connect({
      server: controlPlane.server,
      caPem: controlPlane.caPem,
      token: async () => {
        asked += 1;
        if (asked > 1) token = await issue();
        return token;
      },
    });
    const { informer, stop } = startInformer(createClient(connection, { component: "test" }), "set=none");
    await informer.whenSynced(AbortSignal.timeout(20_000));
    expect(token).not.toBe(revoked);
    await stop();
    await connection[Symbol.asyncDispose]();
  });
});

describe("leader election on a real API server", () => {
  test("of two candidates one leads; when it stops, the other follows at once", async () => {
    const events: string[] = [];
    let leaders = 0;
    const candidate = (identity: string): { stop: () => Promise<void> } => {
      const stopping = new AbortController();
      const election = createLeaderElection({
        client,
        lease: { namespace, name: "lock" },
        identity,
        // Far longer than the test: only who is given the lock can lead.
        leaseDurationMs: 600_000,
        renewDeadlineMs: 500_000,
        retryPeriodMs: 200,
        clock: realClock,
        log: silentLogger,
      });
      const lead = async (leading: AbortSignal): Promise<void> => {
        leaders += 1;
        events.push(`${identity} leads, ${leaders} leader`);
        await realClock.sleep(60_000, leading);
        leaders -= 1;
      };
      const running = election.run(lead, stopping.signal);
      return {
        stop: async () => {
          stopping.abort(new Error("Enough"));
          await running;
        },
      };
    };
    const first = candidate("first");
    await eventually("the first leads", () => events.length === 1);
    const second = candidate("second");
    await realClock.sleep(1_000, signal);
    expect(events).toEqual(["first leads, 1 leader"]);
    await first.stop();
    await eventually("the second leads", () => events.length === 2);
    expect(events).toEqual(["first leads, 1 leader", "second leads, 1 leader"]);
    const lease = await client.get(Lease, { namespace, name: "lock" }, signal);
    expect(lease?.spec).toMatchObject({ holderIdentity: "second", leaseDurationSeconds: 600 });
    expect(lease?.spec?.renewTime).toMatch(/\.\d{6}Z$/);
    await second.stop();
  });

  test("a leader that cannot reach the server stops leading before its lease is over", async () => {
    const own = await startControlPlane({ name: "lost-leader", controllerManager: false });
    const connection = await connectKubeconfig({ path: own.adminKubeconfig });
    cleanups.push(async () => {
      await connection[Symbol.asyncDispose]();
      await own[Symbol.asyncDispose]();
    });
    const election = createLeaderElection({
      client: createClient(connection, { component: "test" }),
      lease: { namespace: "default", name: "lock" },
      identity: "only",
      leaseDurationMs: 4_000,
      renewDeadlineMs: 2_000,
      retryPeriodMs: 200,
      clock: realClock,
      log: silentLogger,
    });
    let isStopped = false;
    const leading = Promise.withResolvers<undefined>();
    const running = election.run(async (leaderSignal) => {
      leading.resolve(undefined);
      await realClock.sleep(60_000, leaderSignal);
      isStopped = true;
    }, signal);
    await leading.promise;
    await Promise.all([own.stopApiserver(), expect(running).rejects.toMatchObject({ name: "LeadershipLostError" })]);
    expect(isStopped).toBe(true);
    expect(election.isLeader).toBe(false);
  });
});

describe("apply on a real API server", () => {
  const deployment = (
    overrides: { readonly image?: string; readonly labels?: Readonly<Record<string, string>> } = {},
  ): Deployment => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { namespace, name: "applied", labels: overrides.labels ?? { team: "red" } },
    spec: {
      selector: { matchLabels: { app: "a" } },
      template: {
        metadata: { labels: { app: "a" } },
        spec: {
          containers: [
            {
              name: "main",
              image: overrides.image ?? "one",
              ports: [{ containerPort: 80 }],
              env: [{ name: "A", value: "1" }],
              resources: { requests: { cpu: "1000m" } },
            },
          ],
          tolerations: [{ key: "k", operator: "Exists" }],
        },
      },
    },
  });

  test("writes once, then nothing: not from a cache, not by reading, not after a restart of ours", async () => {
    const applier = createApplier({ client, fieldManager: "test-manager" });
    expect((await applier.apply(Deployment, deployment(), { signal })).changed).toBe(true);
    counter.reset();
    const current = await client.get(Deployment, { namespace, name: "applied" }, signal);
    expect((await applier.apply(Deployment, deployment(), { current, signal })).changed).toBe(false);
    expect((await applier.apply(Deployment, deployment(), { signal })).changed).toBe(false);
    counter.expectNoWrites();
    expect(counter.count()).toBe(2);
  });

  test("a new process that never wrote the object reads it once and writes nothing", async () => {
    const plain = { ...configMap("plain", { a: "1" }), metadata: { namespace, name: "plain", labels: { x: "y" } } };
    await createApplier({ client, fieldManager: "test-manager" }).apply(ConfigMap, plain, { signal });
    const restarted = createApplier({ client, fieldManager: "test-manager" });
    const current = await client.get(ConfigMap, { namespace, name: "plain" }, signal);
    counter.reset();
    expect((await restarted.apply(ConfigMap, plain, { current, signal })).changed).toBe(false);
    expect((await restarted.apply(ConfigMap, plain, { current, signal })).changed).toBe(false);
    counter.expectNoWrites();
    expect(counter.count()).toBe(1);
  });

  test("puts back what somebody else changed, and leaves what somebody else added", async () => {
    const applier = createApplier({ client, fieldManager: "test-manager" });
    await applier.apply(ConfigMap, configMap("drift", { a: "1" }), { signal });
    const key = { namespace, name: "drift" };
    await client.patch(ConfigMap, key, { type: "merge", body: { data: { a: "changed", b: "theirs" } } }, signal);
    const current = await client.get(ConfigMap, key, signal);
    const { object, changed } = await applier.apply(ConfigMap, configMap("drift", { a: "1" }), { current, force: true, signal });
    expect([object.data, changed]).toEqual([{ a: "1", b: "theirs" }, true]);
    counter.reset();
    expect((await applier.apply(ConfigMap, configMap("drift", { a: "1" }), { current: object, signal })).changed).toBe(false);
    expect(counter.count()).toBe(0);
  });

  test("removes what it set before and no longer wants, also after a restart of ours", async () => {
    await createApplier({ client, fieldManager: "test-manager" }).apply(ConfigMap, configMap("less", { a: "1", b: "2" }), {
      signal,
    });
    const restarted = createApplier({ client, fieldManager: "test-manager" });
    const { object } = await restarted.apply(ConfigMap, configMap("less", { a: "1" }), { signal });
    expect(object.data).toEqual({ a: "1" });
  });

  test("refuses to take over a field of another manager, unless forced", async () => {
    await client.apply(ConfigMap, configMap("owned", { a: "1" }), { fieldManager: "other" }, signal);
    const applier = createApplier({ client, fieldManager: "test-manager" });
    await expect(applier.apply(ConfigMap, configMap("owned", { a: "2" }), { signal })).rejects.toMatchObject({
      reason: "Conflict",
    });
    const { object } = await applier.apply(ConfigMap, configMap("owned", { a: "2" }), { force: true, signal });
    expect(object.data).toEqual({ a: "2" });
  });
});

test("the request counter tells a write from a read, and names it", async () => {
  counter.reset();
  await client.get(ConfigMap, { namespace, name: "page-1" }, signal);
  counter.expectNoWrites();
  await client.patch(ConfigMap, { namespace, name: "page-1" }, { type: "merge", body: { data: { a: "1" } } }, signal);
  expect(() => counter.expectNoWrites()).toThrow(`patch /api/v1/namespaces/${namespace}/configmaps/page-1`);
  counter.expectNoWrites({ except: ["configmaps"] });
});
