// Sessions by cluster: which one serves, what happens to those that are too many or come too late, and what is remembered.
import { describe, expect, test } from "@jest/globals";
import { createMetrics } from "#std/metrics.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import type { Session, SessionState } from "#tunnel/session.ts";
import { createSessions } from "./sessions.ts";

interface FakeSession extends Session {
  state: SessionState;
  readonly told: string[];
  end(): void;
}

/** Drains until the test ends it, or the signal does. */
function aSession(): FakeSession {
  const ended = Promise.withResolvers<undefined>();
  const told: string[] = [];
  const session = {
    state: "open" as SessionState,
    told,
    stats: { openStreams: 2 },
    close: (message: string) => {
      told.push(`close: ${message}`);
    },
    drain: async (message: string, signal: AbortSignal) => {
      told.push(`drain: ${message}`);
      session.state = "draining";
      signal.addEventListener("abort", () => {
        ended.resolve(undefined);
      });
      await ended.promise;
    },
    end: () => {
      ended.resolve(undefined);
    },
  };
  // Only what `sessions` uses.
  return session as unknown as FakeSession;
}

const never = new AbortController().signal;

describe("sessions", () => {
  test("the newest open one of a cluster serves", () => {
    const sessions = createSessions({ perClusterMax: 4, clock: createFakeClock(), metrics: createMetrics() });
    const [first, second] = [aSession(), aSession()];
    sessions.add("c1", first);
    const removeSecond = sessions.add("c1", second);
    expect(sessions.find("c1")).toBe(second);
    second.state = "draining";
    expect(sessions.find("c1")).toBe(first);
    removeSecond();
    expect([sessions.find("c1"), sessions.find("c2"), sessions.size]).toEqual([first, undefined, 1]);
  });

  test("above the limit the oldest of the cluster is closed, and told why", () => {
    const sessions = createSessions({ perClusterMax: 1, clock: createFakeClock(), metrics: createMetrics() });
    const [first, second, other] = [aSession(), aSession(), aSession()];
    sessions.add("c1", first);
    sessions.add("c2", other);
    sessions.add("c1", second);
    expect([first.told, second.told, other.told]).toEqual([
      ["close: This cluster has 1 newer tunnels (--max-sessions-per-cluster)"],
      [],
      [],
    ]);
  });

  test("a cluster was last seen now, or when its last session went", async () => {
    const clock = createFakeClock();
    const sessions = createSessions({ perClusterMax: 4, clock, metrics: createMetrics() });
    expect(sessions.lastSeenAtMs("c1")).toBeUndefined();
    const remove = sessions.add("c1", aSession());
    await clock.advance(5_000);
    expect(sessions.lastSeenAtMs("c1")).toBe(clock.now());
    remove();
    const leftAtMs = clock.now();
    await clock.advance(5_000);
    expect(sessions.lastSeenAtMs("c1")).toBe(leftAtMs);
  });

  test("draining tells all, waits for all, and turns away who comes later", async () => {
    const sessions = createSessions({ perClusterMax: 4, clock: createFakeClock(), metrics: createMetrics() });
    const [first, second, late] = [aSession(), aSession(), aSession()];
    sessions.add("c1", first);
    sessions.add("c2", second);
    let isDrained = false;
    const draining = sessions.drain("Goodbye", never).then(() => (isDrained = true));
    sessions.add("c3", late);
    expect([first.told, second.told, late.told]).toEqual([["drain: Goodbye"], ["drain: Goodbye"], ["drain: Goodbye"]]);
    first.end();
    await Promise.resolve();
    expect(isDrained).toBe(false);
    second.end();
    await draining;
  });
});
