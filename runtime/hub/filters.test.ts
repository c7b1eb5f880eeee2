// In-flight, authorize and the cache beneath: what is refused, what is asked once, and what is forgotten.
import { describe, expect, test } from "@jest/globals";
import type { Clock } from "#std/clock.ts";
import { createMetrics } from "#std/metrics.ts";
import { makeUser } from "./authenticate.ts";
import { createAuthorize } from "./authorize.ts";
import { createExpiringCache } from "./expiring-cache.ts";
import type { Exchange } from "./handler-chain.ts";
import { createInFlight } from "./in-flight.ts";
import { createRefuseLeaving } from "./refuse-leaving.ts";
import { requestInfo } from "./request-info.ts";

function aClock(): Clock & { nowMs: number } {
  return {
    nowMs: 0,
    now() {
      return this.nowMs;
    },
    monotonic() {
      return this.nowMs;
    },
    sleep: () => Promise.resolve(),
  };
}

function anExchange(url: string, user?: string): Exchange {
  const info = requestInfo("GET", { url, isUpgrade: false });
  if (info.type === "malformed") throw new Error(info.problem);
  const known = user === undefined ? undefined : makeUser({ name: user, uid: "", groups: [], extra: {} });
  // The filters under test read these members only.
  return { info, user: known, onSettled: [] as (() => void)[] } as unknown as Exchange;
}

const proxied = "/apis/proxies.clusternet.io/v1alpha1/sockets/c1/proxy/direct/api";

describe("in-flight", () => {
  test("refuses above the limit, counts long-running requests apart, and makes room when a request is over", () => {
    const { filter } = createInFlight({ shortMax: 1, longRunningMax: 1, metrics: createMetrics() });
    const first = anExchange(proxied);
    void filter(first);
    expect(() => filter(anExchange(proxied))).toThrow(/already serves 1 requests.*--max-requests-in-flight/);
    void filter(anExchange(`${proxied}?watch=true`));
    expect(() => filter(anExchange(`${proxied}?watch=true`))).toThrow(/--max-long-running-requests-in-flight/);
    void filter(anExchange("/livez"));
    for (const done of first.onSettled) done();
    expect(() => filter(anExchange(proxied))).not.toThrow();
  });
});

describe("in-flight, when the hub leaves,", () => {
  test("is idle when the last request is over, long-running ones included", async () => {
    const { filter, whenIdle } = createInFlight({ shortMax: 9, longRunningMax: 9, metrics: createMetrics() });
    const [short, long] = [anExchange(proxied), anExchange(`${proxied}?watch=true`)];
    void filter(short);
    void filter(long);
    let isIdle = false;
    const idle = whenIdle(new AbortController().signal).then(() => (isIdle = true));
    for (const done of short.onSettled) done();
    await new Promise(setImmediate);
    expect(isIdle).toBe(false);
    for (const done of long.onSettled) done();
    await idle;
    await whenIdle(new AbortController().signal);
  });

  test("is waited for no longer than the signal says", async () => {
    const { filter, whenIdle } = createInFlight({ shortMax: 9, longRunningMax: 9, metrics: createMetrics() });
    void filter(anExchange(proxied));
    const controller = new AbortController();
    const waiting = whenIdle(controller.signal);
    controller.abort();
    await waiting;
    await whenIdle(controller.signal);
  });
});

describe("refuse-leaving", () => {
  const channels = [
    { it: "a request", channel: { type: "response", response: { shouldKeepAlive: true } } },
    { it: "an upgrade", channel: { type: "upgrade" } },
  ];
  test.each(channels)("refuses $it once the hub leaves, and no probe", ({ channel }) => {
    let isLeaving = false;
    const filter = createRefuseLeaving(() => isLeaving);
    const exchange = { ...anExchange(proxied, "ana"), channel } as unknown as Exchange;
    expect(filter(exchange)).toBeUndefined();
    isLeaving = true;
    expect(() => filter(exchange)).toThrow(
      expect.objectContaining({ status: expect.objectContaining({ code: 503, details: { retryAfterSeconds: 1 } }) }),
    );
    expect("response" in channel ? channel.response.shouldKeepAlive : false).toBe(false);
    expect(filter(anExchange("/livez"))).toBeUndefined();
  });
});

describe("authorize", () => {
  test("asks once for equal questions, again after ten seconds, and apart for each user", async () => {
    const clock = aClock();
    const asked: string[] = [];
    const filter = createAuthorize({
      clock,
      reviewAccess: ({ user, info }) => {
        asked.push(`${user.name} ${info.verb}`);
        return Promise.resolve({ isAllowed: true, reason: "" });
      },
    });
    await Promise.all([filter(anExchange(proxied, "ana")), filter(anExchange(proxied, "ana"))]);
    expect(filter(anExchange(proxied, "ana"))).toBeUndefined();
    await filter(anExchange(proxied, "eve"));
    clock.nowMs = 10_001;
    await filter(anExchange(proxied, "ana"));
    expect(asked).toEqual(["ana get", "eve get", "ana get"]);
  });

  test("refuses with who, what and where it was decided", async () => {
    const filter = createAuthorize({
      clock: aClock(),
      reviewAccess: () => Promise.resolve({ isAllowed: false, reason: "no rule" }),
    });
    await expect(filter(anExchange(proxied, "ana"))).rejects.toThrow(
      /User "ana" cannot get resource "sockets\/proxy" "c1".*parent's RBAC.*no rule/,
    );
  });

  test.each([undefined, "system:anonymous"])("refuses %s everything but health and version", (user) => {
    const filter = createAuthorize({ clock: aClock(), reviewAccess: () => Promise.resolve({ isAllowed: true, reason: "" }) });
    expect(filter(anExchange("/livez", user))).toBeUndefined();
    expect(() => filter(anExchange("/apis", user))).toThrow(/does not know who you are/);
    expect(() => filter(anExchange(proxied, user))).toThrow(/does not know who you are/);
  });
});

describe("the expiring cache", () => {
  test("holds no more than it may, and forgets the oldest", async () => {
    const cache = createExpiringCache<number>({ clock: aClock(), entriesMax: 2 });
    let loads = 0;
    const get = (key: string): number | Promise<number> =>
      cache.get(key, { rememberMs: 1_000, load: () => Promise.resolve((loads += 1)) });
    for (const key of ["a", "b", "c"]) await get(key);
    expect([get("b"), get("c"), loads]).toEqual([2, 3, 3]);
    await get("a");
    expect(loads).toBe(4);
  });

  test("does not remember a failure", async () => {
    const cache = createExpiringCache<number>({ clock: aClock(), entriesMax: 2 });
    await expect(cache.get("a", { rememberMs: 1_000, load: () => Promise.reject(new Error("down")) })).rejects.toThrow("down");
    expect(await cache.get("a", { rememberMs: 1_000, load: () => Promise.resolve(7) })).toBe(7);
  });
});
