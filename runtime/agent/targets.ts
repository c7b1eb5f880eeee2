// Answers the streams that the hub opens, by the target they name: "apiserver" is this child's API server, on pooled connections.
//
// (TGT-1) Every stream passes access-policy.ts before a byte leaves for its target.
// (TGT-2) Credentials and identity headers in the request are dropped: the only ones that arrive are those of the decision.
// (TGT-3) A stream that ends early on either side ends on the other: cancelled requests stop, broken answers are resets.
// (TGT-4) Whoever cannot take more bytes pauses the one that sends them, and nobody else.

import type { IncomingHttpHeaders } from "node:http";
import { Readable, type Duplex } from "node:stream";
import { Pool, type Dispatcher } from "undici";
import type { Connection } from "#kube/connection.ts";
import { errorChain, toError } from "#std/errors.ts";
import type { Logger } from "#std/log.ts";
import type { Counter, Metrics } from "#std/metrics.ts";
import type { StreamError } from "#tunnel/errors.ts";
import type { IncomingStream, StreamHandler } from "#tunnel/stream.ts";
import { isWithheld } from "#tunnel/withheld-headers.ts";
import { decideAccess, type AccessPolicy } from "./access-policy.ts";
import { headerValue, responseHeaders, upgradeHeaders } from "./target-headers.ts";

/** What `SessionOptions.accept` wants. */
export type StreamTarget = (stream: IncomingStream) => StreamHandler;

/** A token that is at hand is better than a promise of one: this is asked for every request. */
export type TokenSource = () => string | Promise<string>;

export interface ApiserverTargetOptions {
  readonly childConnection: Pick<Connection, "server" | "caPem">;
  /** Token of the child's account that may impersonate. */
  readonly proxyToken: TokenSource;
  /** Token of the child's account that applies what the parent pushes; absent: Push is refused. */
  readonly deployerToken?: TokenSource;
  readonly policy: AccessPolicy;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface ApiserverTarget extends AsyncDisposable {
  readonly accept: StreamTarget;
}

const CONNECT_TIME_MAX_MS = 10_000;
/** Shorter than the 90 s after which kube-apiserver closes an idle connection: a request never meets a closing one. */
const IDLE_CONNECTION_MS = 60_000;
/** As kube-apiserver accepts them. */
const RESPONSE_HEAD_BYTES_MAX = 1024 * 1024;
/** Bytes of a request's body that wait for the child. */
const BODY_WAITING_BYTES_MAX = 256 * 1024;

/** Chooses by the name in the stream's head; a name that is not there is refused. */
export function createTargets(targets: Readonly<Record<string, StreamTarget>>): StreamTarget {
  return (stream) => {
    const target = Object.hasOwn(targets, stream.head.target) ? targets[stream.head.target] : undefined;
    if (target !== undefined) return target(stream);
    stream.reset("refused", `This agent has no target ${JSON.stringify(stream.head.target)}`);
    return ignored;
  };
}

export function createApiserverTarget(options: ApiserverTargetOptions): ApiserverTarget {
  const { server, caPem } = options.childConnection;
  const url = new URL(server);
  const tls = { timeout: CONNECT_TIME_MAX_MS, ...(caPem === undefined ? {} : { ca: caPem }) };
  const common = { headersTimeout: 0, bodyTimeout: 0, allowH2: false, maxHeaderSize: RESPONSE_HEAD_BYTES_MAX } as const;
  const requests = new Pool(url.origin, {
    ...common,
    connect: tls,
    keepAliveTimeout: IDLE_CONNECTION_MS,
    keepAliveMaxTimeout: IDLE_CONNECTION_MS,
  });
  // An upgraded connection is the stream's own and may be open in one direction only.
  const upgrades = new Pool(url.origin, { ...common, connect: { ...tls, allowHalfOpen: true } });
  const context: TargetContext = {
    ...options,
    requests,
    upgrades,
    pathPrefix: url.pathname.replace(/\/+$/, ""),
    outcomes: options.metrics.counter({
      name: "clusternet_agent_proxied_requests_total",
      help: "Requests from the parent by what became of them",
      labels: ["outcome"],
    }),
  };
  return {
    accept: (stream) => acceptStream(stream, context),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([requests.destroy(), upgrades.destroy()]);
    },
  };
}

interface TargetContext extends ApiserverTargetOptions {
  readonly requests: Pool;
  readonly upgrades: Pool;
  readonly pathPrefix: string;
  readonly outcomes: Counter<"outcome">;
}

function acceptStream(stream: IncomingStream, context: TargetContext): StreamHandler {
  const { head } = stream;
  if (head.kind === "dial") return refuse(stream, context, "Connections to a host and port are not available");
  const decision = decideAccess(head, context.policy);
  switch (decision.type) {
    case "refuse":
      return refuse(stream, context, decision.reason);
    case "credential":
      return start(stream, context, ["authorization", decision.authorization]);
    case "deployer":
      if (context.deployerToken === undefined) return refuse(stream, context, "this agent has no deployer account");
      return startWithToken(stream, context, { token: context.deployerToken, headers: [] });
    case "impersonate":
      return startWithToken(stream, context, { token: context.proxyToken, headers: decision.headers });
  }
}

function refuse(stream: IncomingStream, { outcomes, log }: TargetContext, reason: string): StreamHandler {
  outcomes.inc({ outcome: "refused" });
  log.info("proxy.refused", { requestId: stream.head.requestId, user: stream.head.identity.user, reason });
  stream.reset("refused", reason);
  return ignored;
}

function startWithToken(
  stream: IncomingStream,
  context: TargetContext,
  { token: source, headers }: { readonly token: TokenSource; readonly headers: readonly string[] },
): StreamHandler {
  const token = source();
  if (typeof token === "string") return start(stream, context, ["authorization", `Bearer ${token}`, ...headers]);
  const exchange = prepare(stream, context);
  token.then(
    (ready) => {
      exchange.start(["authorization", `Bearer ${ready}`, ...headers]);
    },
    (error: unknown) => {
      exchange.fail("unreachable", `The agent has no token for the child's API server: ${errorChain(error)}`);
    },
  );
  return exchange;
}

function start(stream: IncomingStream, context: TargetContext, identityHeaders: string[]): StreamHandler {
  const exchange = prepare(stream, context);
  exchange.start(identityHeaders);
  return exchange;
}

function prepare(stream: IncomingStream, context: TargetContext): ProxiedRequest {
  return stream.head.kind === "upgrade" ? new UpgradeRequest(stream, context) : new ProxiedRequest(stream, context);
}

/** One request: the tunnel's stream on one side, undici's dispatch on the other, no object between them. */
class ProxiedRequest implements StreamHandler, Dispatcher.DispatchHandler {
  protected readonly stream: IncomingStream;
  protected readonly context: TargetContext;
  protected answered = false;
  #controller: Dispatcher.DispatchController | undefined;
  #body: Readable | undefined;
  #identityHeaders: readonly string[] = [];
  #cancelled: Error | undefined;
  #bytesLeft = -1;
  #attempts = 0;

  constructor(stream: IncomingStream, context: TargetContext) {
    this.stream = stream;
    this.context = context;
    if (!stream.bodyEnded && stream.head.kind === "request") this.#body = bodyOf(stream);
  }

  start(identityHeaders: readonly string[]): void {
    if (this.#cancelled !== undefined) return;
    this.#identityHeaders = identityHeaders;
    this.#attempts += 1;
    this.dispatch(this.requestHeaders(identityHeaders));
  }

  protected requestHeaders(identityHeaders: readonly string[]): string[] {
    const { headers, requestId } = this.stream.head;
    const kept: string[] = [...identityHeaders];
    for (let index = 0; index + 1 < headers.length; index += 2) {
      const name = headers[index] ?? "";
      if (!isWithheld(name.toLowerCase())) kept.push(name, headers[index + 1] ?? "");
    }
    if (requestId !== undefined) kept.push("audit-id", requestId);
    return kept;
  }

  protected dispatch(headers: string[]): void {
    const { method, path } = this.stream.head;
    this.context.requests.dispatch({ method, path: this.context.pathPrefix + path, headers, body: this.#body ?? null }, this);
  }

  // --- what the hub's side says

  onData(chunk: Buffer): boolean {
    return this.#body?.push(chunk) ?? true;
  }

  onEnd(): void {
    this.#body?.push(null);
  }

  onReset(error: StreamError): void {
    this.#cancelled = error;
    this.#body?.destroy();
    this.#controller?.abort(error);
    this.context.outcomes.inc({ outcome: "cancelled" });
  }

  onDrain(): void {
    this.#controller?.resume();
  }

  // --- what the child's side says

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#cancelled !== undefined) controller.abort(this.#cancelled);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, _headers: IncomingHttpHeaders): void {
    // Informational answers are between the two ends of one connection.
    if (status < 200) return;
    this.answered = true;
    const headers = responseHeaders(controller.rawHeaders);
    const length = headerValue(headers, "content-length");
    const hasNoBody = status === 204 || status === 304 || this.stream.head.method === "HEAD" || length === "0";
    this.#bytesLeft = hasNoBody ? 0 : length === undefined ? -1 : Number(length);
    this.stream.respond({ status, headers }, { end: hasNoBody });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#bytesLeft > 0) {
      this.#bytesLeft -= chunk.byteLength;
      // The end travels with the last bytes.
      if (this.#bytesLeft === 0) {
        this.stream.end(chunk);
        return;
      }
    }
    if (!this.stream.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    this.stream.end();
    this.context.outcomes.inc({ outcome: "answered" });
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#cancelled === undefined && this.#mayTryAgain(error)) {
      this.start(this.#identityHeaders);
      return;
    }
    const reason = this.answered ? "target-failed" : "unreachable";
    this.fail(
      reason,
      `The child's API server ${this.answered ? "broke off its answer" : "cannot be reached"}: ${errorChain(error)}`,
    );
  }

  fail(reason: "target-failed" | "unreachable", message: string): void {
    // The hub went first: it was counted as cancelled.
    if (this.#cancelled !== undefined) return;
    this.#cancelled = toError(message);
    this.#body?.destroy();
    this.context.outcomes.inc({ outcome: reason });
    this.context.log.warn("proxy.failed", { requestId: this.stream.head.requestId, reason, message });
    this.stream.reset(reason, message);
  }

  /** A pooled connection that the child closed at the same moment: nothing was answered, and asking again is harmless. */
  #mayTryAgain(error: Error): boolean {
    const { method } = this.stream.head;
    return (
      !this.answered &&
      this.#attempts === 1 &&
      this.#body === undefined &&
      (method === "GET" || method === "HEAD") &&
      "code" in error &&
      (error.code === "UND_ERR_SOCKET" || error.code === "ECONNRESET" || error.code === "EPIPE")
    );
  }
}

/** A request to switch protocols: after 101 raw bytes both ways; any other answer is an ordinary one. */
class UpgradeRequest extends ProxiedRequest {
  readonly #waiting: Buffer[] = [];
  #hasEnded = false;
  #socket: Duplex | undefined;

  protected override dispatch(headers: string[]): void {
    const { method, path, headers: asked } = this.stream.head;
    const upgrade = headerValue(asked, "upgrade") ?? "";
    this.context.upgrades.dispatch({ method, path: this.context.pathPrefix + path, headers, upgrade }, this);
  }

  // eslint-disable-next-line max-params -- the signature is undici's
  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: IncomingHttpHeaders,
    socket: Duplex,
  ): void {
    this.answered = true;
    this.#socket = socket;
    const { stream } = this;
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      if (!stream.write(chunk)) socket.pause();
    });
    socket.on("end", () => {
      stream.end();
    });
    socket.on("drain", () => {
      stream.resume();
    });
    socket.on("close", () => {
      // However the child closed (it resets a connection with unread bytes), what it said before arrives: the protocols spoken here tell
      // their own end, and a reset would overtake the last bytes.
      stream.end();
    });
    stream.respond({ status, headers: upgradeHeaders(controller.rawHeaders) });
    for (const chunk of this.#waiting.splice(0)) socket.write(chunk);
    if (this.#hasEnded) socket.end();
  }

  override onData(chunk: Buffer): boolean {
    // Before the 101 a client has nothing to say but a few early bytes; the stream's first credit bounds them.
    if (this.#socket !== undefined) return this.#socket.write(chunk);
    this.#waiting.push(chunk);
    return true;
  }

  override onEnd(): void {
    this.#hasEnded = true;
    this.#socket?.end();
  }

  override onReset(error: StreamError): void {
    super.onReset(error);
    this.#socket?.destroy();
  }

  override onDrain(): void {
    if (this.#socket === undefined) super.onDrain();
    else this.#socket.resume();
  }
}

const ignored: StreamHandler = { onData: () => true, onEnd: () => undefined, onReset: () => undefined };

function bodyOf(stream: IncomingStream): Readable {
  return new Readable({
    highWaterMark: BODY_WAITING_BYTES_MAX,
    read: () => {
      stream.resume();
    },
  });
}
