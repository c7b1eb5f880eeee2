// An agent's websocket upgrade on sockets/{id}/attach -> a live session.

import { errorChain } from "#std/errors.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";
import { PROCESS_BYTES_MAX } from "#tunnel/limits.ts";
import { ByteBudget } from "#tunnel/flow-control.ts";
import { createSession } from "#tunnel/session.ts";
import { acceptWebSocket } from "#tunnel/websocket-transport.ts";
import type { Exchange } from "#hub/handler-chain.ts";
import { RequestError } from "#hub/respond.ts";
import type { Sessions } from "./sessions.ts";

export interface ConnectOptions {
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Runs until the session ends or the signal aborts. */
export type Connect = (exchange: Exchange, clusterId: string, signal: AbortSignal) => Promise<void>;

export function createConnect({ sessions, clock, log, metrics }: ConnectOptions): Connect {
  const processBudget = new ByteBudget(PROCESS_BYTES_MAX);
  const connects = metrics.counter({
    name: "clusternet_hub_tunnel_connects_total",
    help: "Tunnels by how they began",
    labels: ["result"],
  });
  const ends = metrics.counter({
    name: "clusternet_hub_tunnel_ends_total",
    help: "Tunnels by how they ended",
    labels: ["reason"],
  });
  return async (exchange, clusterId, signal) => {
    const { channel, request, user } = exchange;
    if (channel.type !== "upgrade" || request.method !== "GET") {
      throw new RequestError("BadRequest", { message: "sockets/{id}/attach takes a WebSocket upgrade from the cluster's agent" });
    }
    const fields = { clusterId, requestId: exchange.id, user: user?.name };
    const transport = await acceptWebSocket(request, channel.socket, channel.head);
    exchange.answeredCode = 101;
    const session = createSession(transport, { role: "hub", processBudget, clock });
    const running = session.run(signal);
    try {
      await session.ready;
    } catch (error) {
      connects.inc({ result: "failed" });
      log.warn("tunnel.refused", { ...fields, error: errorChain(error) });
      await running;
      return;
    }
    connects.inc({ result: "opened" });
    log.info("tunnel.opened", fields);
    const remove = sessions.add(clusterId, session);
    const { reason, message } = await running;
    remove();
    ends.inc({ reason });
    log.info("tunnel.closed", { ...fields, reason, message });
  };
}
