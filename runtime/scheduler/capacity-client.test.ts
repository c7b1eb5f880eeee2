// A round of questions: asked in parallel and once, ended by its time limit, silent with a reason, forgotten when a cluster changes.
import { beforeEach, describe, expect, test } from "@jest/globals";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { PredictAnswer, PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";
import { silentLogger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { createFakeClock, type FakeClock } from "#test/framework/fake-clock.ts";
import { CapacityClient } from "./capacity-client.ts";
import type { Decision } from "./decision.ts";
import type { FeedNeed } from "./plugin.ts";

const feed = (name: string) => ({ apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name });
const keyOf = (name: string): string => `apps/v1/Deployment/shop/${name}`;
const need = (name: string, cpu: string): FeedNeed => ({
  feed: keyOf(name),
  desiredReplicas: 5,
  replicaRequirements: { resources: { requests: { cpu } } },
});

function aSubscription(name: string, feeds: readonly string[], type: "Static" | "Dynamic" = "Dynamic"): Subscription {
  return {
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "Subscription",
    metadata: { namespace: "shop", name },
    spec: {
      schedulerName: "default",
      schedulingStrategy: "Dividing",
      dividingScheduling: { type },
      preemptionPolicy: "PreemptLowerPriority",
      subscribers: [{ clusterAffinity: { matchLabels: { fleet: "yes" } } }],
      feeds: feeds.map(feed),
    },
  };
}

function aCluster(name: string, fleet = "yes"): ManagedCluster {
  const metadata = { namespace: name, name, labels: { fleet } };
  return {
    apiVersion: "clusters.clusternet.io/v1beta1",
    kind: "ManagedCluster",
    metadata,
    spec: {},
  } as unknown as ManagedCluster;
}

const signal = new AbortController().signal;
const web = aSubscription("web", ["web"]);
const needs = [need("web", "1")];
const clusters = [aCluster("paris"), aCluster("oslo")];
const paris = "paris/paris";
let clock: FakeClock;
let client: CapacityClient;
let asked: string[];
let answer: (cluster: string, request: PredictRequest, signal: AbortSignal) => Promise<PredictAnswer>;

beforeEach(() => {
  clock = createFakeClock();
  asked = [];
  answer = () => Promise.resolve({ replicas: { default: 7 } });
  client = new CapacityClient({
    ask: ({ metadata: { name } }, request, each) => {
      asked.push(
        `${name} ${String(request.resources?.requests?.["cpu"])} ${(request.feeds ?? []).map((one) => one.slice(one.lastIndexOf("/") + 1)).join("+")}`,
      );
      return answer(name, request, each);
    },
    timeoutMs: 5_000,
    cacheMs: 10_000,
    reservationMs: 60_000,
    atATimeMax: 2,
    clock,
    log: silentLogger,
    metrics: createMetrics(),
  });
});

const ask = (subscription = web, options: Partial<Parameters<CapacityClient["ask"]>[1]> = {}) =>
  client.ask(subscription, { clusters, needs, ...options }, signal);

describe("who is asked, and what", () => {
  test("each selected cluster, once for all feeds that need the same", async () => {
    const shop = aSubscription("shop", ["web", "api", "db"]);
    const all = [need("web", "1"), need("api", "1"), need("db", "4")];
    const capacities = await ask(shop, { clusters: [...clusters, aCluster("other", "no")], needs: all });
    expect(asked.toSorted()).toEqual(["oslo 1 web+api", "oslo 4 db", "paris 1 web+api", "paris 4 db"]);
    expect(capacities.of(paris, keyOf("api"))).toEqual({ type: "fits", replicas: 7 });
    expect(capacities.of("other/other", keyOf("api"))).toBeUndefined();
    expect(capacities.of(paris, "v1/ConfigMap/shop/none")).toBeUndefined();
  });

  test.each([
    ["that is divided by weight", aSubscription("static", ["web"], "Static"), needs],
    ["whose feeds have no replicas", web, [{ feed: keyOf("web") }]],
    ["without an inventory", web, []],
  ])("nobody for a Subscription %s", async (_it, subscription, its) => {
    const capacities = await ask(subscription, { needs: its });
    expect(asked).toEqual([]);
    expect(capacities.of(paris, keyOf("web"))).toBeUndefined();
  });
});

describe("an answer", () => {
  test("is asked for again when it is old or its cluster changed", async () => {
    await ask();
    await ask();
    expect(asked).toHaveLength(2);
    client.onCluster({ type: "updated", object: aCluster("paris"), previous: aCluster("paris") });
    await ask();
    expect(asked.slice(2)).toEqual(["paris 1 web"]);
    await clock.advance(10_000);
    await ask();
    expect(asked).toHaveLength(5);
  });

  test("is still there for its decision when its cluster changes while others are waited for", async () => {
    const oslo = Promise.withResolvers<PredictAnswer>();
    answer = (cluster) => (cluster === "oslo" ? oslo.promise : Promise.resolve({ replicas: { default: 7 } }));
    const asking = ask();
    await clock.advance(10);
    client.onCluster({ type: "updated", object: aCluster("paris"), previous: aCluster("paris") });
    oslo.resolve({ replicas: { default: 1 } });
    expect((await asking).of(paris, keyOf("web"))).toEqual({ type: "fits", replicas: 7 });
  });

  test("that is on its way is waited for, not asked for twice", async () => {
    await Promise.all([ask(), ask(aSubscription("twin", ["web"]))]);
    expect(asked).toHaveLength(2);
  });
});

describe("a cluster that does not answer", () => {
  test("is silent with the reason, and does not delay others longer than the time limit", async () => {
    answer = (cluster) => (cluster === "oslo" ? new Promise(() => undefined) : Promise.resolve({ replicas: { default: 7 } }));
    const asking = ask();
    await clock.advance(5_000);
    const capacities = await asking;
    expect(capacities.of("oslo/oslo", keyOf("web"))).toEqual({ type: "silent", reason: "it did not answer within 5000 ms" });
    expect(capacities.of(paris, keyOf("web"))).toEqual({ type: "fits", replicas: 7 });
    await ask();
    expect(asked).toHaveLength(2);
  });

  test("is silent with what went wrong", async () => {
    answer = () => Promise.reject(new Error("its agent is disconnected"));
    expect((await ask()).of(paris, keyOf("web"))).toEqual({ type: "silent", reason: "its agent is disconnected" });
  });

  test("leaves the rest waiting for its turn only until the time limit", async () => {
    answer = () => new Promise(() => undefined);
    const many = Array.from({ length: 20 }, (_, index) => aCluster(`c${String(index)}`));
    const asking = ask(web, { clusters: many });
    await clock.advance(5_000);
    expect((await asking).of("c19/c19", keyOf("web"))).toMatchObject({ type: "silent" });
    // The second turn is for clusters that were silent before.
    expect(asked).toHaveLength(1);
  });

  test("is not asked anything else for a while, so that it delays one decision and not all", async () => {
    answer = (cluster) => (cluster === "oslo" ? new Promise(() => undefined) : Promise.resolve({ replicas: { default: 7 } }));
    const asking = ask();
    await clock.advance(5_000);
    await asking;
    const other = await ask(aSubscription("api", ["api"]), { needs: [need("api", "2")] });
    expect(other.of("oslo/oslo", keyOf("api"))).toEqual({ type: "silent", reason: "it did not answer within 5000 ms" });
    expect(other.of(paris, keyOf("api"))).toEqual({ type: "fits", replicas: 7 });
    expect(asked).toEqual(["paris 1 web", "oslo 1 web", "paris 2 api"]);
    client.onCluster({ type: "updated", object: aCluster("oslo"), previous: aCluster("oslo") });
    answer = () => Promise.resolve({ replicas: { default: 3 } });
    expect((await ask()).of("oslo/oslo", keyOf("web"))).toEqual({ type: "fits", replicas: 3 });
  });

  test("takes the turn of the others only once, however many there are", async () => {
    const hanging = ["a", "b", "c"];
    const all = [...hanging, "paris", "oslo"].map((name) => aCluster(name));
    answer = (cluster) =>
      hanging.includes(cluster) ? new Promise(() => undefined) : Promise.resolve({ replicas: { default: 7 } });
    const round = async () => {
      const asking = ask(web, { clusters: all });
      await clock.advance(5_000);
      return (await asking).of(paris, keyOf("web"));
    };
    const reason = "it was not its turn within 5000 ms: too many others do not answer";
    expect(await round()).toEqual({ type: "silent", reason });
    const rounds: unknown[] = [];
    for (let index = 0; index < 5; index += 1) {
      await clock.advance(10_000);
      rounds.push(await round());
    }
    expect(rounds.slice(-1)).toEqual([{ type: "fits", replicas: 7 }]);
  });

  test("ends with its caller", async () => {
    const caller = new AbortController();
    answer = () => new Promise(() => undefined);
    const asking = client.ask(web, { clusters, needs }, caller.signal);
    caller.abort(new Error("stopped"));
    await expect(asking).rejects.toThrow("stopped");
  });
});

test("what one Subscription was given the next does not get, as long as its cluster does not show it", async () => {
  const decision: Decision = { type: "bound", clusters: [paris], replicas: { [keyOf("web")]: [5] }, verdicts: [] };
  const before = await ask(aSubscription("twin", ["web"]));
  client.reserve(web, { decision, needs });
  // Also not who asked before and decides now.
  expect(before.of(paris, keyOf("web"))).toEqual({ type: "fits", replicas: 2 });
  answer = () => Promise.resolve({ replicas: { default: 3 }, placed: { [keyOf("web")]: 5 } });
  await clock.advance(10_000);
  expect((await ask()).of(paris, keyOf("web"))).toEqual({ type: "fits", replicas: 3 });
});

test("what one Subscription was given is free for the next again when its cluster shows it, whoever asks", async () => {
  const decision: Decision = { type: "bound", clusters: [paris], replicas: { [keyOf("web")]: [5] }, verdicts: [] };
  client.reserve(web, { decision, needs });
  answer = (_cluster, { feeds = [] }) => {
    const placed = Object.fromEntries((feeds ?? []).map((one) => [one, one === keyOf("web") ? 5 : 0]));
    return Promise.resolve({ replicas: { default: 2 }, placed });
  };
  await clock.advance(10);
  const api = await ask(aSubscription("api", ["api"]), { needs: [need("api", "1")] });
  expect(asked).toContain("paris 1 api+web");
  expect(api.of(paris, keyOf("api"))).toEqual({ type: "fits", replicas: 2 });
});
