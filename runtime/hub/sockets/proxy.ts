// A client's request -> a stream to the child's apiserver, or to its predictor: the one function that owns this request's lifetime.
//
//   opened ──onHead──▶ answering ──onEnd──▶ complete
//     │                    └──onReset──▶ cut: the connection is destroyed, nobody takes the answer for complete
//     ├──onReset, deadline──▶ a Status that names the hop
//     └──client leaves (any state)──▶ the stream is reset ("cancelled")
//
// (PRX-1) Path, query and body bytes are forwarded as they came; nothing is decoded or parsed.
// (PRX-2) A slow client pauses its own stream only; a slow child pauses its own client only.

import type { IncomingMessage, ServerResponse } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { headers as headerNames } from "#api/names.ts";
import type { StatusReason } from "#api/status.ts";
import type { Clock } from "#std/clock.ts";
import { SessionError, type ResetReason, type StreamError } from "#tunnel/errors.ts";
import type { RequestHead, ResponseHead } from "#tunnel/head.ts";
import type { RequestStream, ResponseHandler } from "#tunnel/stream.ts";
import type { Exchange } from "#hub/handler-chain.ts";
import { isWatch, type ResourceRequest } from "#hub/request-info.ts";
import { hasBody, RequestError, respondStatus, respondStatusOnSocket } from "#hub/respond.ts";
import type { User } from "#hub/user.ts";
import { createEndingWatches } from "./ending-watches.ts";
import { forwardedRequest } from "./forwarded-headers.ts";
import { proxyTarget } from "./proxy-target.ts";
import type { Sessions } from "./sessions.ts";

export interface ProxyOptions {
  readonly sessions: Sessions;
  /** What is known of a cluster without a session. */
  readonly describeAbsent: (clusterId: string) => AbsentCluster;
  /** Upstream's form: the child's credential in impersonation extras. */
  readonly credentialExtras: boolean;
  readonly clock: Clock;
}

export type AbsentCluster =
  | { readonly type: "unknown" }
  /** `lastSeenAtMs` undefined: never. */
  | { readonly type: "disconnected"; readonly lastSeenAtMs: number | undefined };

export interface Proxy {
  readonly handle: (exchange: Exchange, info: ResourceRequest) => void;
  /** Ends requests whose child does not begin to answer; until the signal aborts. */
  readonly watchDeadlines: (signal: AbortSignal) => Promise<void>;
  /** The hub leaves: watches are over. */
  readonly endWatches: () => void;
}

/** kube-apiserver ends short requests after 60 s; who waits longer waits for a dead one. */
const ANSWER_TIME_MAX_MS = 75_000;
const DEADLINE_CHECK_INTERVAL_MS = 5_000;
const RETRY_AFTER_SECONDS = 2;

interface Waiting {
  readonly deadlineMs: number;
  onDeadline(): void;
}

export function createProxy({ sessions, describeAbsent, credentialExtras, clock }: ProxyOptions): Proxy {
  /** In order of their deadlines: all have the same time. */
  const waiting = new Set<Waiting>();
  const watches = createEndingWatches();

  const open = (
    clusterId: string,
    { head, handler, end }: { head: RequestHead; handler: ResponseHandler; end: boolean },
  ): RequestStream => {
    const session = sessions.find(clusterId);
    if (session === undefined) throw absentError(clusterId, describeAbsent(clusterId), clock.now());
    try {
      return session.request(head, handler, { end });
    } catch (error) {
      throw error instanceof SessionError ? sessionProblem(clusterId, error) : error;
    }
  };

  return {
    handle: (exchange, info) => {
      const { request, channel, user } = exchange;
      const target = proxyTarget(info.rest);
      if (target.type === "not-allowed") throw new RequestError("Forbidden", { message: target.message });
      if (target.type === "unknown") throw new RequestError("NotFound", { message: target.message });
      if (user === undefined) throw new RequestError("Unauthorized", { message: "The hub does not know who you are" });
      const isUpgrade = channel.type === "upgrade";
      const forwarded = forwardedRequest(request.rawHeaders, { isUpgrade, connection: request.headers.connection });
      const credential = forwarded.credential ?? credentialOfExtras(user, credentialExtras);
      const head: RequestHead = {
        kind: isUpgrade ? "upgrade" : "request",
        target: target.type,
        method: request.method ?? "GET",
        path: target.path,
        headers: forwarded.headers,
        identity: identityOf(user),
        requestId: exchange.id,
        ...(credential === undefined ? {} : { credential }),
      };
      if (channel.type === "upgrade") {
        const proxied = new ProxiedUpgrade(exchange, { socket: channel.socket, clusterId: info.name });
        proxied.start(open(info.name, { head, handler: proxied, end: false }), channel.head);
        return;
      }
      const proxied = new ProxiedRequest(exchange, { response: channel.response, clusterId: info.name });
      const bodyFollows = hasBody(request);
      const handler = info.isLongRunning && isWatch(info.rest) ? watches.wrap(proxied, exchange.onSettled) : proxied;
      proxied.start(open(info.name, { head, handler, end: !bodyFollows }), bodyFollows);
      if (!info.isLongRunning) {
        const wait: Waiting = {
          deadlineMs: clock.monotonic() + ANSWER_TIME_MAX_MS,
          onDeadline: () => {
            proxied.onDeadline();
          },
        };
        waiting.add(wait);
        proxied.onAnswer = () => waiting.delete(wait);
        exchange.onSettled.push(proxied.onAnswer);
      }
    },
    endWatches: watches.endAll,
    watchDeadlines: async (signal) => {
      while (!signal.aborted) {
        await clock.sleep(DEADLINE_CHECK_INTERVAL_MS, signal);
        const nowMs = clock.monotonic();
        for (const wait of waiting) {
          if (wait.deadlineMs > nowMs) break;
          waiting.delete(wait);
          wait.onDeadline();
        }
      }
    },
  };
}

/** An ordinary request: the stream on one side, the ServerResponse on the other. */
class ProxiedRequest implements ResponseHandler {
  onAnswer: () => void = () => undefined;
  readonly #exchange: Exchange;
  readonly #response: ServerResponse;
  readonly #clusterId: string;
  #stream: RequestStream | undefined;
  #bytesLeft = -1;

  constructor(exchange: Exchange, { response, clusterId }: { readonly response: ServerResponse; readonly clusterId: string }) {
    this.#exchange = exchange;
    this.#response = response;
    this.#clusterId = clusterId;
  }

  start(stream: RequestStream, bodyFollows: boolean): void {
    this.#stream = stream;
    this.#exchange.onSettled.push(() => {
      if (!stream.closed) stream.reset("cancelled", "The client went away");
    });
    if (bodyFollows) forwardBody(this.#exchange.request, stream);
  }

  onHead({ status, headers }: ResponseHead): void {
    this.onAnswer();
    const response = this.#response;
    response.writeHead(status, headers as string[]);
    const length = contentLength(headers);
    // Without a length it may be a watch: the client waits for the head before the first event. Else head and body leave together.
    if (length === undefined) response.flushHeaders();
    else this.#bytesLeft = length;
    response.on("drain", () => this.#stream?.resume());
  }

  onData(chunk: Buffer): boolean {
    if (this.#bytesLeft > 0) {
      this.#bytesLeft -= chunk.byteLength;
      if (this.#bytesLeft === 0) {
        this.#response.end(chunk);
        return true;
      }
    }
    return this.#response.write(chunk);
  }

  onEnd(): void {
    // An answer that is shorter than it said must not end well.
    if (this.#bytesLeft > 0 && this.#exchange.request.method !== "HEAD" && this.#response.statusCode !== 304)
      this.#response.destroy();
    else this.#response.end();
  }

  onReset(error: StreamError): void {
    this.onAnswer();
    if (this.#response.headersSent) this.#response.destroy();
    else this.#fail(resetProblem(this.#clusterId, error));
  }

  onDrain(): void {
    this.#exchange.request.resume();
  }

  onDeadline(): void {
    if (this.#response.headersSent) return;
    const seconds = String(ANSWER_TIME_MAX_MS / 1_000);
    this.#fail(
      new RequestError("Timeout", {
        message: `Cluster ${this.#clusterId}: its API server did not begin to answer within ${seconds} s; look at it and at the agent's log`,
      }),
    );
    this.#stream?.reset("timeout", "No answer in time");
  }

  #fail({ status }: RequestError): void {
    this.#exchange.answeredCode = status.code;
    respondStatus({ request: this.#exchange.request, response: this.#response }, status, this.#exchange.id);
  }
}

/** A request to switch protocols: after the child's 101 both directions are raw and end independently. */
class ProxiedUpgrade implements ResponseHandler {
  readonly #exchange: Exchange;
  readonly #socket: Duplex;
  readonly #clusterId: string;
  #isAnswered = false;

  constructor(exchange: Exchange, { socket, clusterId }: { readonly socket: Duplex; readonly clusterId: string }) {
    this.#exchange = exchange;
    this.#socket = socket;
    this.#clusterId = clusterId;
  }

  start(stream: RequestStream, head: Buffer): void {
    const socket = this.#socket;
    this.#exchange.onSettled.push(() => {
      if (!stream.closed) stream.reset("cancelled", "The client went away");
    });
    if (head.byteLength > 0) stream.write(head);
    socket.on("data", (chunk: Buffer) => {
      if (!stream.write(chunk)) socket.pause();
    });
    socket.on("end", () => {
      stream.end();
    });
    socket.on("drain", () => {
      stream.resume();
    });
    socket.resume();
  }

  onHead({ status, headers }: ResponseHead): void {
    this.#isAnswered = true;
    this.#exchange.answeredCode = status;
    const lines = [`HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ""}`];
    for (let index = 0; index + 1 < headers.length; index += 2)
      lines.push(`${headers[index] ?? ""}: ${headers[index + 1] ?? ""}`);
    // Refusals of the child have their length or end with the connection.
    if (status !== 101) lines.push("connection: close");
    this.#socket.write(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  }

  onData(chunk: Buffer): boolean {
    return this.#socket.write(chunk);
  }

  onEnd(): void {
    this.#socket.end();
  }

  onReset(error: StreamError): void {
    if (this.#isAnswered) {
      this.#socket.destroy();
      return;
    }
    const { status } = resetProblem(this.#clusterId, error);
    this.#exchange.answeredCode = status.code;
    respondStatusOnSocket(this.#socket, status, this.#exchange.id);
  }

  onDrain(): void {
    this.#socket.resume();
  }
}

function forwardBody(request: IncomingMessage, stream: RequestStream): void {
  request.on("data", (chunk: Buffer) => {
    if (stream.closed) return;
    if (!stream.write(chunk)) request.pause();
  });
  request.on("end", () => {
    stream.end();
  });
}

const CREDENTIAL_EXTRAS = [headerNames.extraToken, headerNames.extraCertificate, headerNames.extraPrivateKey] as const;

/** Credentials in extras are never passed on as extras: they would be in the child's audit log too. */
function identityOf({ name, uid, groups, extra }: User): RequestHead["identity"] {
  if (!CREDENTIAL_EXTRAS.some((key) => key in extra)) return { user: name, uid, groups, extra };
  const kept = Object.entries(extra).filter(([key]) => !CREDENTIAL_EXTRAS.some((credential) => credential === key));
  return { user: name, uid, groups, extra: Object.fromEntries(kept) };
}

function credentialOfExtras({ extra }: User, isOn: boolean): string | undefined {
  const used = CREDENTIAL_EXTRAS.find((key) => key in extra);
  if (used === undefined) return undefined;
  const token = extra[headerNames.extraToken]?.[0];
  if (isOn && token !== undefined) return `Bearer ${token}`;
  const message = isOn
    ? `The extra field ${used} is not supported; bring a token`
    : `Credentials in impersonation extras (${used}) are switched off; send them in the header ${headerNames.childAuthorization}, or start the hub with --credential-extras`;
  throw new RequestError("Forbidden", { message });
}

function contentLength(headers: readonly string[]): number | undefined {
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index];
    if (name?.length === 14 && name.toLowerCase() === "content-length") return Number(headers[index + 1]);
  }
  return undefined;
}

function absentError(clusterId: string, absent: AbsentCluster, nowMs: number): RequestError {
  if (absent.type === "unknown") {
    return new RequestError("NotFound", {
      message: `No cluster has the id ${JSON.stringify(clusterId)}; the label clusters.clusternet.io/cluster-id of a ManagedCluster tells it`,
    });
  }
  const { lastSeenAtMs } = absent;
  const seen = lastSeenAtMs === undefined ? "was never seen by this hub" : `was last seen ${age(nowMs - lastSeenAtMs)} ago`;
  return new RequestError("ServiceUnavailable", {
    message: `Cluster ${clusterId}: its agent is disconnected from the hub and ${seen}; look at the agent's log in the child`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

function age(durationMs: number): string {
  const seconds = Math.max(0, Math.round(durationMs / 1_000));
  if (seconds < 120) return `${String(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${String(minutes)} min` : `${String(Math.round(minutes / 60))} h`;
}

function sessionProblem(clusterId: string, error: SessionError): RequestError {
  switch (error.reason) {
    case "head-too-large":
      return new RequestError("RequestEntityTooLarge", {
        message: `The request's headers are too large for the tunnel: ${error.message}`,
        cause: error,
      });
    case "too-many-streams":
      return new RequestError("TooManyRequests", {
        message: `Cluster ${clusterId}: its tunnel serves as many requests as it can: ${error.message}`,
        retryAfterSeconds: RETRY_AFTER_SECONDS,
        cause: error,
      });
    case "not-open":
    case "draining":
    case "closed":
      return new RequestError("ServiceUnavailable", {
        message: `Cluster ${clusterId}: its tunnel is being replaced: ${error.message}`,
        retryAfterSeconds: RETRY_AFTER_SECONDS,
        cause: error,
      });
  }
}

/** Which hop gave up, in the words of who can do something about it. */
function resetProblem(clusterId: string, error: StreamError): RequestError {
  const { reason, text, retry } = RESETS[error.reason];
  return new RequestError(reason, {
    message: `Cluster ${clusterId}: ${text}: ${error.message}`,
    ...(retry === true ? { retryAfterSeconds: RETRY_AFTER_SECONDS } : {}),
    cause: error,
  });
}

const RESETS: Readonly<Record<ResetReason, { readonly reason: StatusReason; readonly text: string; readonly retry?: boolean }>> =
  {
    refused: { reason: "Forbidden", text: "its agent refuses the request" },
    unreachable: { reason: "ServiceUnavailable", text: "its agent cannot reach the cluster's API server", retry: true },
    "target-failed": { reason: "ServiceUnavailable", text: "its API server broke off the request", retry: true },
    timeout: { reason: "Timeout", text: "its agent gave up waiting" },
    overloaded: { reason: "TooManyRequests", text: "its tunnel is overloaded", retry: true },
    draining: { reason: "ServiceUnavailable", text: "its agent is shutting down", retry: true },
    cancelled: { reason: "ServiceUnavailable", text: "its agent cancelled the request", retry: true },
    protocol: { reason: "InternalError", text: "the hub and its agent disagree about the tunnel" },
    internal: { reason: "InternalError", text: "its agent failed" },
    "tunnel-lost": { reason: "ServiceUnavailable", text: "the tunnel to its agent was lost before it answered", retry: true },
  };
