// What the tunnel costs against a plain TLS socket and direct https, in one run: hub and agent are separate processes, the way between
// them is TLS on loopback. Each figure is the median of five rounds, and ratios compare within a round.

import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { Agent, createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "node:tls";
import { createCertificateAuthority, issueCertificate } from "#std/certificates.ts";
import { realClock } from "#std/clock.ts";
import type { RequestHead } from "#tunnel/head.ts";
import { DEFAULT_LIMITS } from "#tunnel/limits.ts";
import { createSession, type Session } from "#tunnel/session.ts";
import { acceptWebSocket } from "#tunnel/websocket-transport.ts";
import type { Measurement } from "./run.ts";
import type { AgentConfig, AgentPorts } from "./tunnel-agent.ts";
import type { DelayConfig } from "./tunnel-delay.ts";

const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 5);
const WARM_UP_MS = Number(process.env["BENCH_WARM_UP_MS"] ?? 400);
const MEASURE_MS = Number(process.env["BENCH_MS"] ?? 1_000);
const ONLY = process.env["BENCH_ONLY"];
const CONCURRENT = 64;
const ROUND_TRIP_MS = 40;
/** A window of 4 MiB needs some round trips to grow. */
const DELAYED_WARM_UP_MS = 1_200;
const MB = 1_000_000;

interface Bed {
  readonly tunnel: Session;
  readonly delayedTunnel: Session;
  readonly ports: AgentPorts;
  readonly delayedTlsPort: number;
  readonly caPem: string;
  readonly httpsAgent: Agent;
}

type Round = Readonly<Record<string, Omit<Measurement, "name">>>;

export async function run(print: (line: string) => void): Promise<Measurement[]> {
  await using stack = new AsyncDisposableStack();
  const bed = await startBed(stack);
  const parts = { bulk, small, beside, stalled, delayed };
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const results: Round[] = [];
    for (const [name, part] of Object.entries(parts)) {
      if (ONLY !== undefined && ONLY !== name) continue;
      results.push(await part(bed));
    }
    rounds.push(Object.assign({}, ...results) as Round);
    print(`round ${String(round + 1)} of ${String(ROUNDS)}`);
  }
  return Object.keys(rounds[0] ?? {}).map((name) => ({
    name: `tunnel.${name}`,
    value: median(rounds.map((round) => round[name]?.value ?? Number.NaN)),
    unit: rounds[0]?.[name]?.unit ?? "",
  }));
}

// The parts.

async function bulk(bed: Bed): Promise<Round> {
  const socket = await socketBytesPerSecond(bed, bed.ports.tls, WARM_UP_MS);
  const tunnel = await streamBytesPerSecond(bed.tunnel, WARM_UP_MS);
  return {
    "bulk.tls_socket_mb_per_s": { value: socket / MB, unit: "MB/s" },
    "bulk.mb_per_s": { value: tunnel / MB, unit: "MB/s" },
    "bulk.of_tls_socket": { value: tunnel / socket, unit: "ratio" },
  };
}

async function small(bed: Bed): Promise<Round> {
  const direct = await repeat(() => directRequest(bed), CONCURRENT);
  const tunnel = await repeat(() => tunnelRequest(bed.tunnel), CONCURRENT);
  return {
    "small.c64.direct_req_per_s": { value: direct.perSecond, unit: "req/s" },
    "small.c64.req_per_s": { value: tunnel.perSecond, unit: "req/s" },
    "small.c64.of_direct": { value: tunnel.perSecond / direct.perSecond, unit: "ratio" },
  };
}

async function beside(bed: Bed): Promise<Round> {
  const quiet = await repeat(() => tunnelRequest(bed.tunnel), 1);
  const stopBulk = startBulk(bed.tunnel, () => true);
  await pause(WARM_UP_MS);
  const busy = await repeat(() => tunnelRequest(bed.tunnel), 1);
  const windowBytes = DEFAULT_LIMITS.creditInitialBytes + bed.tunnel.stats.windowsGrownBytes;
  await stopBulk();
  return {
    "beside_bulk.window_bytes": { value: windowBytes, unit: "bytes" },
    "beside_bulk.round_trip_ms": { value: bed.tunnel.stats.roundTripMs ?? Number.NaN, unit: "ms" },
    "small.quiet.p50_ms": { value: quiet.p50Ms, unit: "ms" },
    "small.beside_bulk.p50_ms": { value: busy.p50Ms, unit: "ms" },
    "small.beside_bulk.p50_of_quiet": { value: busy.p50Ms / quiet.p50Ms, unit: "ratio" },
  };
}

/** Before, during and after, so that a drift of the machine is not taken for an effect. */
async function stalled(bed: Bed): Promise<Round> {
  const before = await repeat(() => tunnelRequest(bed.tunnel), 16);
  const stopBulk = startBulk(bed.tunnel, () => false);
  const during = await repeat(() => tunnelRequest(bed.tunnel), 16);
  await stopBulk();
  const after = await repeat(() => tunnelRequest(bed.tunnel), 16);
  const without = (before.p50Ms + after.p50Ms) / 2;
  return {
    "stalled.others.p50_ms": { value: during.p50Ms, unit: "ms" },
    "stalled.others.p50_of_quiet": { value: during.p50Ms / without, unit: "ratio" },
  };
}

async function delayed(bed: Bed): Promise<Round> {
  const socket = await socketBytesPerSecond(bed, bed.delayedTlsPort, DELAYED_WARM_UP_MS);
  const tunnel = await streamBytesPerSecond(bed.delayedTunnel, DELAYED_WARM_UP_MS);
  return {
    "rtt40.round_trip_ms": { value: bed.delayedTunnel.stats.roundTripMs ?? Number.NaN, unit: "ms" },
    "rtt40.tls_socket_mb_per_s": { value: socket / MB, unit: "MB/s" },
    "rtt40.mb_per_s": { value: tunnel / MB, unit: "MB/s" },
    "rtt40.of_tls_socket": { value: tunnel / socket, unit: "ratio" },
  };
}

// What they measure with.

async function streamBytesPerSecond(session: Session, warmUpMs: number): Promise<number> {
  let bytes = 0;
  const stop = startBulk(session, (chunk) => {
    bytes += chunk.length;
    return true;
  });
  const rate = await rateOf(() => bytes, warmUpMs);
  await stop();
  return rate;
}

async function socketBytesPerSecond({ caPem }: Bed, port: number, warmUpMs: number): Promise<number> {
  let bytes = 0;
  const socket = connect({ host: "127.0.0.1", port, ca: caPem });
  socket.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await once(socket, "secureConnect");
  const rate = await rateOf(() => bytes, warmUpMs);
  socket.destroy();
  await pause(50);
  return rate;
}

async function rateOf(bytes: () => number, warmUpMs: number): Promise<number> {
  await pause(warmUpMs);
  const [startBytes, startMs] = [bytes(), performance.now()];
  await pause(MEASURE_MS);
  return ((bytes() - startBytes) * 1000) / (performance.now() - startMs);
}

/** Returns what stops it and waits until the wire is quiet again. */
function startBulk(session: Session, onData: (chunk: Buffer) => boolean): () => Promise<void> {
  const stream = session.request(
    { ...HEAD, path: "/bulk" },
    { onHead: () => undefined, onData, onEnd: () => undefined, onReset: fail },
    { end: true },
  );
  return async () => {
    stream.reset("cancelled");
    await pause(100);
  };
}

interface Repeated {
  readonly perSecond: number;
  readonly p50Ms: number;
}

async function repeat(once: () => Promise<void>, concurrency: number): Promise<Repeated> {
  const startMs = performance.now();
  const fromMs = startMs + WARM_UP_MS;
  const untilMs = fromMs + MEASURE_MS;
  const latencies: number[] = [];
  const loop = async (): Promise<void> => {
    for (;;) {
      const sentMs = performance.now();
      if (sentMs >= untilMs) return;
      await once();
      const doneMs = performance.now();
      if (sentMs >= fromMs) latencies.push(doneMs - sentMs);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, loop));
  return { perSecond: (latencies.length * 1000) / (performance.now() - fromMs), p50Ms: median(latencies) };
}

const HEAD: RequestHead = {
  kind: "request",
  target: "apiserver",
  method: "GET",
  path: "/api/v1/namespaces/default/configmaps/bench?pretty=false",
  headers: [
    ...[
      "accept",
      "application/json",
      "user-agent",
      "kubectl/v1.36.0 (linux/amd64) kubernetes/abcdef0",
      "accept-encoding",
      "gzip",
    ],
    ...["kubectl-command", "kubectl get", "kubectl-session", "5b7e0a3c-1c7a-4a0d-9a0e-2f4c9f3f9d11"],
  ],
  identity: { user: "jane@example.com", uid: "", groups: ["dev", "system:authenticated"], extra: {} },
  requestId: "0b6f1f6e-8c7e-4f6c-9f41-0a8b2c5d7e11",
};

function tunnelRequest(session: Session): Promise<void> {
  return new Promise((resolve, reject) => {
    session.request(HEAD, { onHead: () => undefined, onData: () => true, onEnd: resolve, onReset: reject }, { end: true });
  });
}

const DIRECT_HEADERS = Object.fromEntries(
  Array.from({ length: HEAD.headers.length / 2 }, (_, index) => [
    HEAD.headers[index * 2] ?? "",
    HEAD.headers[index * 2 + 1] ?? "",
  ]),
);

function directRequest({ ports, caPem, httpsAgent }: Bed): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: "127.0.0.1", port: ports.https, path: HEAD.path, headers: DIRECT_HEADERS, ca: caPem, agent: httpsAgent },
      (response) => {
        response.on("data", () => undefined);
        response.on("end", resolve);
      },
    );
    sent.on("error", reject);
    sent.end();
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function fail(error: Error): void {
  throw error;
}

// The processes.

async function startBed(stack: AsyncDisposableStack): Promise<Bed> {
  const authority = await createCertificateAuthority({ commonName: "bench", validDays: 1 });
  const certificate = await issueCertificate(authority, {
    commonName: "bench",
    ipAddresses: ["127.0.0.1"],
    usages: ["server"],
    validDays: 1,
  });
  const caPem = authority.certificatePem;
  const agent = start(stack, "tunnel-agent.ts", { ...certificate, caPem } satisfies AgentConfig);
  const ports = (await message(agent)) as AgentPorts;
  const hub = startHub({ cert: certificate.certificatePem, key: certificate.privateKeyPem }, stack);
  await once(hub.server, "listening");
  const hubPort = (hub.server.address() as AddressInfo).port;
  const hubDelay = start(stack, "tunnel-delay.ts", { port: hubPort, roundTripMs: ROUND_TRIP_MS } satisfies DelayConfig);
  const tlsDelay = start(stack, "tunnel-delay.ts", { port: ports.tls, roundTripMs: ROUND_TRIP_MS } satisfies DelayConfig);
  const [hubDelayPort, delayedTlsPort] = (await Promise.all([message(hubDelay), message(tlsDelay)])).map(
    (sent) => (sent as { readonly port: number }).port,
  ) as [number, number];
  const tunnel = await dialled(agent, hub, hubPort);
  const delayedTunnel = await dialled(agent, hub, hubDelayPort);
  const httpsAgent = new Agent({ keepAlive: true, maxSockets: CONCURRENT });
  stack.defer(() => {
    httpsAgent.destroy();
  });
  return { tunnel, delayedTunnel, ports, delayedTlsPort, caPem, httpsAgent };
}

interface Hub {
  readonly server: ReturnType<typeof createServer>;
  /** The next agent that dials in. */
  next(): Promise<Session>;
}

function startHub(tls: { readonly cert: string; readonly key: string }, stack: AsyncDisposableStack): Hub {
  const server = createServer(tls);
  const stop = new AbortController();
  const waiting: ((session: Session) => void)[] = [];
  server.on("upgrade", (incoming, socket, head) => {
    void acceptWebSocket(incoming, socket, head).then(async (transport) => {
      const session = createSession(transport, { role: "hub", clock: realClock });
      const running = session.run(stop.signal);
      await session.ready;
      waiting.shift()?.(session);
      await running;
    });
  });
  server.listen(0, "127.0.0.1");
  stack.defer(() => {
    stop.abort();
    server.close();
    server.closeAllConnections();
  });
  return { server, next: () => new Promise((resolve) => waiting.push(resolve)) };
}

async function dialled(agent: ChildProcess, hub: Hub, port: number): Promise<Session> {
  const next = hub.next();
  agent.send({ url: `wss://127.0.0.1:${String(port)}/attach` });
  return next;
}

function start(stack: AsyncDisposableStack, file: string, config: object): ChildProcess {
  const child = fork(join(import.meta.dirname, file), [JSON.stringify(config)]);
  stack.defer(() => {
    child.kill("SIGKILL");
  });
  return child;
}

async function message(child: ChildProcess): Promise<unknown> {
  const [sent] = (await once(child, "message")) as [unknown];
  return sent;
}
