// The predictor's own port: callers that reach the agent without the tunnel, over TLS with certificates on both sides, or plain where the
// child's administrator said so.
//
// (PRT-1) Over TLS nothing is kept of a question whose caller may not ask; who may is decided for each request, by the authority and names
//         that count now, however long its connection has been open.
// (PRT-2) Files that become bad change nothing: the last good ones stay in use, and what is wrong with the new ones is logged.
// (PRT-3) Who connects and says nothing, or asks too much, holds a connection for seconds; and there are only so many of them.

import { constants, X509Certificate } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import { TLSSocket } from "node:tls";
import type { CertificateWithKey } from "#std/certificates.ts";
import type { Clock } from "#std/clock.ts";
import { errorChain } from "#std/errors.ts";
import { listenOn, type ListeningServer } from "#std/listening-server.ts";
import type { Logger } from "#std/log.ts";
import type { Counter, Metrics } from "#std/metrics.ts";
import { chainsTo, splitPem, subjectOf } from "#std/peer-certificate.ts";
import { readAuthorities, readCertificateWithKey } from "#std/tls-files.ts";
import { directRefusal, type DirectCaller } from "./access-policy.ts";
import { QUESTION_BYTES_MAX } from "./capacity-server.ts";
import type { DirectAccess, PredictorFiles } from "./direct-access.ts";
import { failure, type Predictor, type PredictorResponse } from "./predictor.ts";

export interface PredictorPortOptions {
  readonly access: DirectAccess;
  readonly host: string;
  readonly predictor: Predictor;
  readonly answers: Counter<"code">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

interface PredictorPort extends ListeningServer {
  /** Uses files that were replaced, for new connections and for the next request of the others. */
  refresh(): Promise<void>;
}

export interface PredictorTls extends CertificateWithKey {
  readonly clientCaPem: string;
}

/** As stale as credentials in files may be elsewhere. */
export const FILES_READ_EVERY_MS = 60_000;
/** A parent has a few schedulers, and people with curl. */
const CONNECTIONS_MAX = 256;
const HANDSHAKE_MS_MAX = 10_000;
const REQUEST_MS_MAX = 10_000;
const REQUEST_HEAD_BYTES_MAX = 16 * 1024;
/** Longer than the 60 s after which our schedulers close an idle connection. */
const IDLE_CONNECTION_MS = 65_000;

export async function runPredictorPort(options: PredictorPortOptions, signal: AbortSignal): Promise<void> {
  await using port = await startPredictorPort(options);
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    await options.clock.sleep(FILES_READ_EVERY_MS, signal);
    if (!isOver()) await port.refresh();
  }
}

/** Throws when a file is bad, with its option. */
export async function readPredictorTls({ certFile, keyFile, clientCaFile }: PredictorFiles): Promise<PredictorTls> {
  const certificate = { option: "--predictor-cert-file", path: certFile };
  const [pair, clientCaPem] = await Promise.all([
    readCertificateWithKey({ certificate, key: { option: "--predictor-key-file", path: keyFile } }),
    readAuthorities({ option: "--predictor-client-ca-file", path: clientCaFile }),
  ]);
  return { ...pair, clientCaPem };
}

async function startPredictorPort(options: PredictorPortOptions): Promise<PredictorPort> {
  return options.access.type === "plain" ? await startPlain(options, options.access) : await startTls(options, options.access);
}

async function startPlain(options: PredictorPortOptions, { port }: { readonly port: number }): Promise<PredictorPort> {
  const server = createServer(
    limits,
    listener(options, () => undefined),
  );
  const listening = await listen(server, options, port);
  options.log.warn("predictor.open-to-all", { host: options.host, port: listening.port });
  return { ...listening, refresh: () => Promise.resolve() };
}

async function startTls(
  options: PredictorPortOptions,
  access: Extract<DirectAccess, { readonly type: "tls" }>,
): Promise<PredictorPort> {
  const { clock, log, metrics, host } = options;
  let tls = await readPredictorTls(access);
  let authorities = authoritiesOf(tls);
  let problem: string | undefined;
  const refusalOf = (request: IncomingMessage): PredictorResponse | undefined => {
    const caller = callerOf(request, { authorities, nowMs: clock.now() });
    const refusal = directRefusal(caller, access.clientNames);
    if (refusal === undefined) return undefined;
    // Anybody who reaches the port can cause the first kind: it is counted, not told.
    if (caller.type === "proven") log.info("predictor.refused", { user: caller.commonName, reason: refusal.message });
    else log.debug("predictor.caller-unproven", { reason: refusal.message });
    return failure(refusal.reason, refusal.message);
  };
  const server = createTlsServer({ ...tlsLimits, ...limits, ...contextOf(tls) }, listener(options, refusalOf));
  server.on("tlsClientError", () => undefined);
  metrics.gauge({
    name: "clusternet_agent_predictor_certificate_expiration_timestamp_seconds",
    help: "When the certificate of the predictor's port ends, in seconds since the epoch",
    collect: () => new X509Certificate(tls.certificatePem).validToDate.getTime() / 1_000,
  });
  const listening = await listen(server, options, access.port);
  log.info("predictor.listening", { host, port: listening.port });
  return {
    ...listening,
    refresh: async () => {
      try {
        const next = await readPredictorTls(access);
        problem = undefined;
        if (isSame(next, tls)) return;
        server.setSecureContext(contextOf(next));
        tls = next;
        authorities = authoritiesOf(next);
        server.closeIdleConnections();
        log.info("predictor.certificates-replaced");
      } catch (error) {
        const text = errorChain(error);
        if (text !== problem) log.warn("predictor.files-not-read", { error: text });
        problem = text;
      }
    },
  };
}

const limits = {
  maxHeaderSize: REQUEST_HEAD_BYTES_MAX,
  keepAliveTimeout: IDLE_CONNECTION_MS,
  headersTimeout: REQUEST_MS_MAX,
  requestTimeout: REQUEST_MS_MAX,
  connectionsCheckingInterval: REQUEST_MS_MAX / 2,
  noDelay: true,
} as const;

const tlsLimits = {
  requestCert: true,
  // Who may not ask is told why, which a broken handshake cannot.
  rejectUnauthorized: false,
  ALPNProtocols: ["http/1.1"],
  minVersion: "TLSv1.2",
  handshakeTimeout: HANDSHAKE_MS_MAX,
  // A resumed session would bring its client certificate past a changed authority.
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const;

function contextOf({ certificatePem, privateKeyPem, clientCaPem }: PredictorTls): { cert: string; key: string; ca: string[] } {
  return { cert: certificatePem, key: privateKeyPem, ca: splitPem(clientCaPem) };
}

function authoritiesOf({ clientCaPem }: PredictorTls): readonly X509Certificate[] {
  return splitPem(clientCaPem).map((pem) => new X509Certificate(pem));
}

function isSame(a: PredictorTls, b: PredictorTls): boolean {
  return a.certificatePem === b.certificatePem && a.privateKeyPem === b.privateKeyPem && a.clientCaPem === b.clientCaPem;
}

/** TLS verified signatures, purposes and dates when the connection began; authority and date may be others by now. */
function callerOf(
  { socket }: IncomingMessage,
  { authorities, nowMs }: { readonly authorities: readonly X509Certificate[]; readonly nowMs: number },
): DirectCaller {
  const leaf = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  if (!(socket instanceof TLSSocket) || leaf === undefined) return { type: "nobody" };
  if (!socket.authorized) return { type: "unproven", problem: String(socket.authorizationError) };
  if (!chainsTo(leaf, authorities)) return { type: "unproven", problem: "its authority was replaced" };
  if (leaf.validToDate.getTime() < nowMs) return { type: "unproven", problem: "it has expired" };
  return { type: "proven", commonName: subjectOf(leaf).commonName };
}

function listener(
  { predictor, answers, log }: PredictorPortOptions,
  refusalOf: (request: IncomingMessage) => PredictorResponse | undefined,
): RequestListener {
  return (request, response) => {
    const answer = (response_: PredictorResponse): void => {
      answers.inc({ code: String(response_.status) });
      send(response, response_);
    };
    const refusal = refusalOf(request);
    if (refusal === undefined) {
      readQuestion(request, (body) => {
        if (body === undefined) response.shouldKeepAlive = false;
        answer(body === undefined ? tooLarge() : answerTo(request, { body, predictor, log }));
      });
      return;
    }
    // What is left of the question is let go, so that the answer arrives; then the connection ends.
    request.on("error", () => undefined).resume();
    response.shouldKeepAlive = false;
    answer(refusal);
  };
}

/** undefined: it is too long. What breaks off is asked by nobody any more. */
function readQuestion(request: IncomingMessage, onQuestion: (body: string | undefined) => void): void {
  let chunks: Buffer[] = [];
  let bytes = 0;
  request.on("error", () => undefined);
  request.on("data", (chunk: Buffer) => {
    const wasTooLong = bytes > QUESTION_BYTES_MAX;
    bytes += chunk.byteLength;
    if (bytes <= QUESTION_BYTES_MAX) chunks.push(chunk);
    else if (!wasTooLong) {
      chunks = [];
      onQuestion(undefined);
    }
  });
  request.on("end", () => {
    if (bytes <= QUESTION_BYTES_MAX) onQuestion(Buffer.concat(chunks).toString("utf8"));
  });
}

function tooLarge(): PredictorResponse {
  return failure("RequestEntityTooLarge", `A question has at most ${String(QUESTION_BYTES_MAX)} bytes`);
}

function answerTo(
  { method = "", url = "" }: IncomingMessage,
  { body, predictor, log }: { readonly body: string } & Pick<PredictorPortOptions, "predictor" | "log">,
): PredictorResponse {
  try {
    return predictor({ method, path: url, body });
  } catch (error) {
    log.error("predictor.answer-failed", { error });
    return failure("InternalError", "The predictor failed; its agent's log says why");
  }
}

function send(response: ServerResponse, { status, json }: PredictorResponse): void {
  const body = Buffer.from(JSON.stringify(json));
  response.writeHead(status, { "content-type": "application/json", "content-length": body.byteLength });
  response.end(body);
}

async function listen(server: Server | TlsServer, { host }: PredictorPortOptions, port: number): Promise<ListeningServer> {
  server.maxConnections = CONNECTIONS_MAX;
  try {
    return await listenOn(server, { host, port });
  } catch (error) {
    throw new Error(`--predictor-port: Cannot listen on ${host}:${String(port)}; name a port that is free there`, {
      cause: error,
    });
  }
}
