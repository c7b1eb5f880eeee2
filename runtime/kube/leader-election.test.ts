import { describe, expect, test } from "@jest/globals";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { eventually } from "#test/framework/eventually.ts";
import { silentLogger } from "#std/log.ts";
import type { Lease } from "./builtin-kinds.ts";
import type { Client } from "./client.ts";
import { ApiError } from "./errors.ts";
import { createLeaderElection, LeadershipLostError, type LeaderElection } from "./leader-election.ts";

const RETRY_MS = 2_000;
const RENEW_DEADLINE_MS = 10_000;

type Fate = "answered" | "unanswered" | "refused";

/** One Lease, with the resourceVersion checked as kube-apiserver does. */
function leaseServer(): {
  readonly client: Client;
  readonly stored: () => Lease | undefined;
  /** What happens to a write: it is done and answered, done but the answer is lost with the request, or refused. */
  fate: () => Fate;
  /** Somebody else writes. */
  touch: () => void;
  reads: number;
} {
  let stored: Lease | undefined;
  let version = 0;
  const keep = (lease: Lease): Lease => {
    version += 1;
    stored = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(version) } };
    return stored;
  };
  const write = (_kind: unknown, lease: Lease, signal: AbortSignal): Promise<Lease> => {
    const fate = server.fate();
    if (fate === "refused") return Promise.reject(new Error("connect ECONNREFUSED"));
    if (stored !== undefined && lease.metadata.resourceVersion !== stored.metadata.resourceVersion) {
      return Promise.reject(new ApiError({ code: 409, reason: "Conflict", message: "the object has been modified" }));
    }
    const written = keep(lease);
    if (fate === "answered") return Promise.resolve(written);
    return new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        reject(new Error("The request was aborted"));
      });
    });
  };
  const client = {
    get: () => {
      server.reads += 1;
      return Promise.resolve(stored);
    },
    create: write,
    update: write,
  };
  const server = {
    client: client as unknown as Client,
    stored: () => stored,
    fate: (): Fate => "answered",
    touch: () => {
      if (stored !== undefined) keep(stored);
    },
    reads: 0,
  };
  return server;
}

describe("a leader election", () => {
  const clock = createFakeClock();
  const candidate = (client: Client, identity: string): LeaderElection =>
    createLeaderElection({ client, lease: { namespace: "default", name: "lock" }, identity, clock, log: silentLogger });
  const untilAborted = (signal: AbortSignal): Promise<void> => clock.sleep(3_600_000, signal);

  /** Resolves when it leads. */
  const lead = async (client: Client): Promise<{ readonly stop: () => Promise<void> }> => {
    const stopping = new AbortController();
    const election = candidate(client, "first");
    const running = election.run(untilAborted, stopping.signal);
    await eventually("it leads", () => election.isLeader);
    return {
      stop: () => {
        stopping.abort(new Error("Enough"));
        return running;
      },
    };
  };

  test("gives the lock back although the renewal that it cut off was done", async () => {
    const server = leaseServer();
    const leader = await lead(server.client);
    const renewed = server.stored()?.metadata.resourceVersion;
    server.fate = () => "unanswered";
    await clock.advance(RETRY_MS);
    expect(server.stored()?.metadata.resourceVersion).not.toBe(renewed);
    server.fate = () => "answered";
    await leader.stop();
    expect(server.stored()?.spec).toMatchObject({ holderIdentity: "", leaseDurationSeconds: 1 });
  });

  test("gives the lock back although it was stopped before it knew that it holds it", async () => {
    const server = leaseServer();
    server.fate = () => "unanswered";
    const stopping = new AbortController();
    const running = candidate(server.client, "first").run(untilAborted, stopping.signal);
    await eventually("it asked for the lock", () => server.stored() !== undefined);
    server.fate = () => "answered";
    stopping.abort(new Error("Enough"));
    await running;
    expect(server.stored()?.spec?.holderIdentity).toBe("");
  });

  test("reads again when somebody wrote to the Lease between its last look and its release", async () => {
    const server = leaseServer();
    const leader = await lead(server.client);
    let isFirst = true;
    server.fate = () => {
      if (isFirst) server.touch();
      isFirst = false;
      return "answered";
    };
    await leader.stop();
    expect(server.stored()?.spec?.holderIdentity).toBe("");
  });

  test("leaves the lock of another alone", async () => {
    const server = leaseServer();
    const leader = await lead(server.client);
    const held = server.stored();
    const waiting = new AbortController();
    const second = candidate(server.client, "second").run(untilAborted, waiting.signal);
    await eventually("the second has looked", () => server.reads === 2);
    waiting.abort(new Error("Enough"));
    await second;
    expect(server.stored()).toEqual(held);
    await leader.stop();
  });

  test("tells who leads to stop before another can take over, when it cannot renew", async () => {
    const server = leaseServer();
    const election = candidate(server.client, "first");
    let stoppedAt = 0;
    const running = election.run(async (signal) => {
      await untilAborted(signal);
      stoppedAt = clock.monotonic();
    }, new AbortController().signal);
    await eventually("it leads", () => election.isLeader);
    const held = server.stored();
    const leadingFrom = clock.monotonic();
    server.fate = () => "refused";
    const lost = expect(running).rejects.toThrow(LeadershipLostError);
    await clock.advance(RENEW_DEADLINE_MS + RETRY_MS);
    await lost;
    const durationMs = (held?.spec?.leaseDurationSeconds ?? 0) * 1_000;
    expect(stoppedAt - leadingFrom).toBeGreaterThanOrEqual(RENEW_DEADLINE_MS);
    expect(stoppedAt - leadingFrom).toBeLessThan(durationMs);
    expect(server.stored()).toEqual(held);
  });
});
