// Dials the hub and keeps one session alive: attach, serve, reconnect with back-off.
//
//   waiting ──dial──▶ connecting ──hello──▶ connected ──GOAWAY, loss──▶ waiting …   until the signal aborts
//
// After a GOAWAY the old session finishes its streams while the next one is dialled.

import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Counter, Metrics } from "#std/metrics.ts";
import { socketAttachPath } from "#api/proxies/v1alpha1/socket.ts";
import { childController } from "#std/abort.ts";
import { backoffMs } from "#std/backoff.ts";
import { errorChain } from "#std/errors.ts";
import type { SessionEnd } from "#tunnel/errors.ts";
import { ByteBudget } from "#tunnel/flow-control.ts";
import { createSession, type Session } from "#tunnel/session.ts";
import { PROCESS_BYTES_MAX } from "#tunnel/limits.ts";
import { DialError, dialWebSocket } from "#tunnel/websocket-transport.ts";
import type { StreamTarget } from "./targets.ts";
import { createTargets } from "./targets.ts";

export interface ParentAddress {
  /** `https://host:port`, with a path prefix when the parent has one; or the hub's own address (`--hub-url`). */
  readonly server: string;
  /** Who signed the server's certificate; undefined: the system's authorities. It is always verified. Read for every dial, too. */
  caPem(): string | undefined | Promise<string | undefined>;
  /** Read for every dial: it may have been renewed. */
  token(): string | Promise<string>;
}

export type TunnelStatus =
  | { readonly state: "connecting"; readonly since: number; readonly lastError: string | undefined }
  | { readonly state: "connected"; readonly since: number };

export interface TunnelClientOptions {
  readonly clusterId: string;
  readonly parent: ParentAddress;
  readonly targets: Readonly<Record<string, StreamTarget>>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Told at once and at every change; for readiness. */
  readonly onStatus?: (status: TunnelStatus) => void;
}

const RECONNECT = { firstMs: 500, maxMs: 30_000 } as const;
/** A session that lived so long shows that the way is good: back-off starts from the beginning. */
const STABLE_AFTER_MS = 30_000;
/** How soon a GOAWAY is noticed. */
const DRAIN_CHECK_INTERVAL_MS = 250;

/** Returns when the signal aborts; a lost tunnel is never an error. */
export async function runTunnelClient(options: TunnelClientOptions, signal: AbortSignal): Promise<void> {
  const client = createTunnelClient(options);
  await client.run(signal);
}

interface TunnelClient {
  run(signal: AbortSignal): Promise<void>;
}

function createTunnelClient({ clusterId, parent, targets, clock, log, metrics, onStatus }: TunnelClientOptions): TunnelClient {
  const url = attachUrl(parent.server, clusterId);
  const accept = createTargets(targets);
  const processBudget = new ByteBudget(PROCESS_BYTES_MAX);
  const ending = new Set<Promise<unknown>>();
  let status: TunnelStatus = { state: "connecting", since: clock.now(), lastError: undefined };
  const setStatus = (next: TunnelStatus): void => {
    status = next;
    onStatus?.(next);
  };
  const { dials, ends } = tunnelMetrics(metrics, () => status.state === "connected");

  const dial = async (signal: AbortSignal): Promise<{ session: Session; end: Promise<SessionEnd> }> => {
    const [token, caPem] = await Promise.all([parent.token(), parent.caPem()]);
    const transport = await dialWebSocket(
      { url, headers: { authorization: `Bearer ${token}` }, ...(caPem === undefined ? {} : { caPem }) },
      signal,
    );
    const session = createSession(transport, { role: "agent", accept, processBudget, clock });
    const end = session.run(signal);
    await session.ready;
    return { session, end };
  };

  /** True when the session was up: how long it lived decides the back-off. */
  const serve = async (signal: AbortSignal): Promise<{ readonly livedMs: number; readonly isDraining: boolean }> => {
    const { session, end } = await dial(signal);
    const connectedAt = clock.monotonic();
    dials.inc({ result: "connected" });
    log.info("tunnel.connected", { url });
    setStatus({ state: "connected", since: clock.now() });
    const logged = end.then(({ reason, message }) => {
      ends.inc({ reason });
      log.info("tunnel.ended", { reason, message, livedMs: Math.round(clock.monotonic() - connectedAt) });
      return message;
    });
    ending.add(logged);
    void logged.finally(() => ending.delete(logged));
    const isDraining = await untilLeaving({ session, end, clock }, signal);
    setStatus({ state: "connecting", since: clock.now(), lastError: isDraining ? "the hub is going away" : await logged });
    return { livedMs: clock.monotonic() - connectedAt, isDraining };
  };

  return {
    run: async (signal) => {
      onStatus?.(status);
      const isStopping = (): boolean => signal.aborted;
      for (let attempt = 0; !signal.aborted; attempt += 1) {
        try {
          const { livedMs, isDraining } = await serve(signal);
          if (isDraining || livedMs >= STABLE_AFTER_MS) attempt = 0;
        } catch (error) {
          if (isStopping()) break;
          dials.inc({ result: "failed" });
          const message = dialProblem(error);
          setStatus({ state: "connecting", since: status.since, lastError: message });
          log.warn("tunnel.dial-failed", { url, attempt, error: message });
        }
        await clock.sleep(backoffMs(attempt, RECONNECT), signal);
      }
      await Promise.allSettled(ending);
    },
  };
}

/** Resolves when the session takes no new streams: true when the hub said goodbye, whether or not old ones still go on. */
async function untilLeaving(
  { session, end, clock }: { readonly session: Session; readonly end: Promise<SessionEnd>; readonly clock: Clock },
  signal: AbortSignal,
): Promise<boolean> {
  using watching = childController(signal);
  void end.finally(() => {
    watching.abort();
  });
  while (session.state === "open" && !watching.signal.aborted) await clock.sleep(DRAIN_CHECK_INTERVAL_MS, watching.signal);
  return session.state === "draining" || (session.state === "closed" && (await end).reason === "drained");
}

function tunnelMetrics(metrics: Metrics, isConnected: () => boolean): { dials: Counter<"result">; ends: Counter<"reason"> } {
  metrics.gauge({
    name: "clusternet_agent_tunnel_connected",
    help: "1 while a session with the hub is open",
    collect: () => (isConnected() ? 1 : 0),
  });
  return {
    dials: metrics.counter({
      name: "clusternet_agent_tunnel_dials_total",
      help: "Attempts to reach the hub",
      labels: ["result"],
    }),
    ends: metrics.counter({
      name: "clusternet_agent_tunnel_ends_total",
      help: "Sessions that ended, by reason",
      labels: ["reason"],
    }),
  };
}

function attachUrl(server: string, clusterId: string): string {
  const base = server.replace(/\/+$/, "").replace(/^http/, "ws");
  return `${base}${socketAttachPath(clusterId)}`;
}

/** Which hop said no, and what to do about it. */
function dialProblem(error: unknown): string {
  if (!(error instanceof DialError)) return errorChain(error);
  const said = statusMessage(error.body);
  const answer = said === undefined ? errorChain(error) : `${String(error.status ?? "")} ${said}`.trim();
  switch (error.status) {
    case 401:
      return `The parent does not accept this agent's token: ${answer}`;
    case 403:
      return `The parent does not allow this agent to attach: ${answer}`;
    case 404:
    case 503:
      return `The parent's API server has no hub to attach to: ${answer}`;
    default:
      return answer;
  }
}

function statusMessage(body: string | undefined): string | undefined {
  try {
    const status: unknown = JSON.parse(body ?? "");
    const hasMessage = typeof status === "object" && status !== null && "message" in status && typeof status.message === "string";
    return hasMessage ? String(status.message) : undefined;
  } catch {
    return undefined;
  }
}
