// Runs filters in order; turns a thrown error into one Status, one log line and one metric.
//
//   received ──filters──▶ handled ──(answer's end or connection's loss)──▶ settled, exactly once
//
// A filter returns undefined when it decided at once: the usual request meets no promise on its way.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { randomUUID } from "node:crypto";
import { statusOf, type Status } from "#api/status.ts";
import type { Clock } from "#std/clock.ts";
import { errorChain } from "#std/errors.ts";
import type { Logger } from "#std/log.ts";
import type { User } from "./user.ts";
import { requestInfo, type NonResourceRequest, type ResourceRequest } from "./request-info.ts";
import { RequestError, respondStatus, respondStatusOnSocket } from "./respond.ts";
import type { RequestMetrics } from "./request-metrics.ts";

/** How the answer leaves: as an HTTP response, or as whatever is written to the socket of a client that wants another protocol. */
export type Channel =
  | { readonly type: "response"; readonly response: ServerResponse }
  | { readonly type: "upgrade"; readonly socket: Duplex; readonly head: Buffer };

/** One request on its way through the chain. */
export interface Exchange {
  /** The same in the parent's audit log, here, at the agent and in the child's audit log. */
  readonly id: string;
  readonly request: IncomingMessage;
  readonly channel: Channel;
  readonly info: ResourceRequest | NonResourceRequest;
  /** Set by authenticate; undefined: nobody we know. */
  user: User | undefined;
  /** The code that was answered; set by whoever answers when it is not the ServerResponse. */
  answeredCode: number;
  /** Run once when the request is over, however it ended. */
  readonly onSettled: (() => void)[];
}

/** Throws RequestError to refuse. */
export type Filter = (exchange: Exchange) => Promise<void> | undefined;

export interface ChainOptions {
  /** In execution order; the last one answers. */
  readonly filters: readonly Filter[];
  readonly metrics: RequestMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface HandlerChain {
  handle(request: IncomingMessage, channel: Channel): void;
}

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,64}$/;

export function createHandlerChain({ filters, metrics, clock, log }: ChainOptions): HandlerChain {
  const settle = (exchange: Exchange, startedAt: number): void => {
    for (const done of exchange.onSettled.splice(0)) done();
    const code =
      exchange.channel.type === "response" && exchange.channel.response.headersSent
        ? exchange.channel.response.statusCode
        : exchange.answeredCode;
    const durationMs = clock.monotonic() - startedAt;
    metrics.observe(exchange.info, code, durationMs);
    log.info("request.served", accessFields(exchange, code, durationMs));
  };
  const fail = (exchange: Exchange, error: unknown): void => {
    const status = statusOfError(error);
    if (status.code >= 500 && !(error instanceof RequestError)) log.error("request.failed", { requestId: exchange.id, error });
    exchange.answeredCode = status.code;
    answer(exchange, status);
  };
  return {
    handle: (request, channel) => {
      const startedAt = clock.monotonic();
      const id = requestId(request);
      const info = requestInfo(request.method ?? "GET", { url: request.url ?? "/", isUpgrade: channel.type === "upgrade" });
      if (info.type === "malformed") {
        refuseMalformed({ request, channel }, info.problem, id);
        return;
      }
      const exchange: Exchange = { id, request, channel, info, user: undefined, answeredCode: 0, onSettled: [] };
      const end = channel.type === "response" ? channel.response : channel.socket;
      end.once("close", () => {
        settle(exchange, startedAt);
      });
      runFilters(filters, exchange, (error) => {
        fail(exchange, error);
      });
    },
  };
}

/** Stays synchronous as long as the filters are. */
function runFilters(filters: readonly Filter[], exchange: Exchange, onError: (error: unknown) => void): void {
  const continueAt = (from: number): void => {
    try {
      for (let index = from; index < filters.length; index += 1) {
        const pending = filters[index]?.(exchange);
        if (pending === undefined) continue;
        pending.then(() => {
          continueAt(index + 1);
        }, onError);
        return;
      }
    } catch (error) {
      onError(error);
    }
  };
  continueAt(0);
}

/** `Audit-ID` is what kube-apiserver sends on; `X-Request-Id` what load balancers and people do. */
function requestId({ headers }: IncomingMessage): string {
  const given = headers["audit-id"] ?? headers["x-request-id"];
  return typeof given === "string" && REQUEST_ID.test(given) ? given : randomUUID();
}

function statusOfError(error: unknown): Status {
  if (error instanceof RequestError) return error.status;
  return statusOf({ reason: "InternalError", message: `The hub failed to serve the request: ${errorChain(error)}` });
}

function answer({ request, channel, id }: Exchange, status: Status): void {
  if (channel.type === "response") respondStatus({ request, response: channel.response }, status, id);
  else respondStatusOnSocket(channel.socket, status, id);
}

function refuseMalformed({ request, channel }: Pick<Exchange, "request" | "channel">, problem: string, id: string): void {
  const status = statusOf({ reason: "BadRequest", message: problem });
  if (channel.type === "response") respondStatus({ request, response: channel.response }, status, id);
  else respondStatusOnSocket(channel.socket, status, id);
}

/** Who, what, how long; no query (it may hold a secret) and no credential. */
function accessFields({ id, request, info, user }: Exchange, code: number, durationMs: number): Record<string, unknown> {
  return {
    requestId: id,
    method: request.method,
    verb: info.verb,
    ...(info.type === "resource"
      ? { resource: info.resource, subresource: info.subresource, name: info.name, path: withoutQuery(info.rest) }
      : { path: info.path }),
    user: user?.name,
    code,
    durationMs: Math.round(durationMs * 1_000) / 1_000,
  };
}

function withoutQuery(rest: string): string {
  const queryAt = rest.indexOf("?");
  return queryAt === -1 ? rest : rest.slice(0, queryAt);
}
