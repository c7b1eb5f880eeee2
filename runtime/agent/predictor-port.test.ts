// The predictor's own port over real TLS, asked as the scheduler asks it: who is answered, who is told why not, and what replaced files change.

import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as requestPlain } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, TLSSocket } from "node:tls";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import type { PredictAnswer, PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";
import { predictorPaths } from "#api/proxies/v1alpha1/predictor.ts";
import type { Credentials } from "#kube/credentials.ts";
import { createAskCluster } from "#scheduler/ask-predictor.ts";
import {
  createCertificateAuthority,
  issueCertificate,
  type CertificateAuthority,
  type CertificateOptions,
  type CertificateWithKey,
} from "#std/certificates.ts";
import type { Logger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { eventually } from "#test/framework/eventually.ts";
import { StraightConnections } from "#scheduler/straight-connections.ts";
import { clustersOf } from "#test/framework/scheduler-story.ts";
import { QUESTION_BYTES_MAX } from "./capacity-server.ts";
import type { DirectAccess } from "./direct-access.ts";
import { FILES_READ_EVERY_MS, runPredictorPort } from "./predictor-port.ts";

const HOST = "127.0.0.1";
const NAME = "clusternet-scheduler";
const { signal } = new AbortController();
let directory: string;
let predictors: CertificateAuthority;
let callers: CertificateAuthority;
let scheduler: CertificateWithKey;
let asked = 0;

const file = (name: string): string => join(directory, name);
const serverCertificate = (authority: CertificateAuthority, address = HOST): Promise<CertificateWithKey> =>
  issueCertificate(authority, { commonName: "predictor", ipAddresses: [address], usages: ["server"], validDays: 1 });
const caller = (authority: CertificateAuthority, more: Partial<CertificateOptions> = {}): Promise<CertificateWithKey> =>
  issueCertificate(authority, { commonName: NAME, usages: ["client"], validDays: 1, ...more });
const authority = (commonName: string): Promise<CertificateAuthority> => createCertificateAuthority({ commonName, validDays: 1 });

async function writeFiles(pair: CertificateWithKey, ca: CertificateAuthority): Promise<void> {
  await writeFile(file("tls.crt"), pair.certificatePem);
  await writeFile(file("tls.key"), pair.privateKeyPem);
  await writeFile(file("ca.crt"), ca.certificatePem);
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "clusternet-predictor-port-"));
  [predictors, callers] = await Promise.all([authority("predictors"), authority("callers")]);
  scheduler = await caller(callers);
});
afterAll(() => rm(directory, { recursive: true, force: true }));
beforeEach(async () => {
  asked = 0;
  await writeFiles(await serverCertificate(predictors), callers);
});

interface Running extends AsyncDisposable {
  readonly port: number;
  readonly logged: readonly string[];
  readonly metrics: ReturnType<typeof createMetrics>;
  /** As long as files may be stale. */
  filesAreRead(): Promise<void>;
}

async function run(type: DirectAccess["type"] = "tls", port = 0): Promise<Running> {
  const logged: string[] = [];
  let listening: number | undefined;
  const record = (event: string, fields: { readonly port?: number } = {}): void => {
    logged.push(event);
    listening ??= fields.port;
  };
  const log = { debug: record, info: record, warn: record, error: record } as unknown as Logger;
  const clock = createFakeClock({ startAt: Date.now() });
  const stop = new AbortController();
  const metrics = createMetrics();
  const files = { certFile: file("tls.crt"), keyFile: file("tls.key"), clientCaFile: file("ca.crt") };
  const access: DirectAccess = { type, url: "https://paris:8080", port, clientNames: [NAME], ...files };
  const answers = metrics.counter({ name: "clusternet_answers_total", help: "x", labels: ["code"] });
  const predictor = (): { readonly status: number; readonly json: PredictAnswer } => {
    asked += 1;
    return { status: 200, json: { replicas: { default: 7 } } };
  };
  const running = runPredictorPort({ access, host: HOST, predictor, answers, clock, log, metrics }, stop.signal);
  const waits = (): Promise<boolean> =>
    eventually("it waits", () => clock.sleeping === 1, { intervalMs: 5, signal: stop.signal });
  await Promise.race([running, waits()]).catch((error: unknown) => {
    stop.abort();
    throw error;
  });
  return {
    port: listening ?? 0,
    logged,
    metrics,
    filesAreRead: async () => {
      await clock.advance(FILES_READ_EVERY_MS);
      await waits();
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  };
}

const [paris] = clustersOf({ clusters: { paris: {} }, subscription: {} });

/** As the scheduler does it. */
async function ask(port: number, shown: Partial<Credentials> = {}, question: PredictRequest = {}): Promise<PredictAnswer> {
  const credentials = { headers: {}, caPem: predictors.certificatePem, clientCertificate: scheduler, ...shown };
  await using straight = new StraightConnections({ read: () => Promise.resolve(credentials), forget: () => undefined });
  const parent = { request: () => Promise.reject(new Error("asked through the hub")) };
  const address = `https://${HOST}:${String(port)}`;
  const status = { predictorEnabled: true, predictorDirectAccess: true, predictorAddress: address };
  return await createAskCluster({ parent, straight })({ ...paris!, status: { ...paris!.status, ...status } }, question, signal);
}

const seven = { replicas: { default: 7 } };

describe("over TLS", () => {
  test("the scheduler is answered", async () => {
    await using port = await run();
    await expect(ask(port.port)).resolves.toEqual(seven);
    expect(await port.metrics.text()).toMatch(/clusternet_answers_total\{code="200"\} 1/);
    expect(await port.metrics.text()).toMatch(/predictor_certificate_expiration_timestamp_seconds \d{10}/);
  });

  test.each<[string, () => Promise<CertificateWithKey> | undefined, RegExp]>([
    ["without a certificate", () => undefined, /answers callers with a client certificate.*--predictor-client-cert-file/],
    ["with one of another authority", async () => caller(await authority("callers")), /not accepted.*--predictor-client-ca-file/],
    ["with one that ended", () => caller(callers, { now: Date.now() - 5 * 86_400_000 }), /not accepted: CERT_HAS_EXPIRED/],
    ["with one that is for servers", () => caller(callers, { usages: ["server"] }), /not accepted: .*PURPOSE/],
    ["by another name", () => caller(callers, { commonName: "ana" }), /"ana" may not ask.*--predictor-client-names/],
    ["by no name", () => caller(callers, { commonName: "" }), /"" may not ask/],
  ])("who comes %s is told why not, and nothing is counted for it", async (_how, clientCertificate, says) => {
    await using port = await run();
    const podLabels = { long: "x".repeat(100_000) };
    await expect(ask(port.port, { clientCertificate: await clientCertificate() }, { podLabels })).rejects.toThrow(says);
    expect(asked).toBe(0);
  });

  test("the scheduler asks nobody who is not the child: of another authority, or of another address", async () => {
    await using port = await run();
    const other = await authority("predictors");
    await expect(ask(port.port, { caPem: other.certificatePem })).rejects.toThrow(/certificate/);
    await writeFiles(await serverCertificate(predictors, "127.0.0.2"), callers);
    await port.filesAreRead();
    await expect(ask(port.port)).rejects.toThrow(/127\.0\.0\.1/);
    expect(asked).toBe(0);
  });

  test("a question that is too long is none", async () => {
    await using port = await run();
    const podLabels = { long: "x".repeat(QUESTION_BYTES_MAX) };
    await expect(ask(port.port, {}, { podLabels })).rejects.toThrow(/at most 262144 bytes/);
  });
});

describe("files", () => {
  test("that were replaced count within a minute, for callers and for the port's own certificate", async () => {
    await using port = await run();
    const [nextPredictors, nextCallers] = await Promise.all([authority("predictors"), authority("callers")]);
    const next = { caPem: nextPredictors.certificatePem, clientCertificate: await caller(nextCallers) };
    await expect(ask(port.port, next)).rejects.toThrow();
    await writeFiles(await serverCertificate(nextPredictors), nextCallers);
    await port.filesAreRead();
    expect(port.logged).toContain("predictor.certificates-replaced");
    await expect(ask(port.port, next)).resolves.toEqual(seven);
    await expect(ask(port.port, { caPem: next.caPem })).rejects.toThrow(/not accepted/);
    await expect(ask(port.port)).rejects.toThrow(/certificate/);
  });

  test("an authority that was replaced ends what its callers may do on connections that are open", async () => {
    await using port = await run();
    const ca = [predictors.certificatePem];
    const socket = connectTls({ host: HOST, port: port.port, ca, cert: scheduler.certificatePem, key: scheduler.privateKeyPem });
    let received = "";
    socket.setEncoding("utf8").on("data", (part: string) => (received += part));
    const head = `POST ${predictorPaths.predict} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n`;
    socket.write(head.replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n"));
    await eventually("the request is under way", () => received.startsWith("HTTP/1.1 100 "));
    received = "";
    await writeFiles(await serverCertificate(predictors), await authority("callers"));
    await port.filesAreRead();
    socket.write("{}");
    await eventually("an answer", () => received.startsWith("HTTP/1.1 200 ") && received.endsWith("}"));
    received = "";
    socket.write(`${head}{}`);
    await eventually("a refusal", () => /^HTTP\/1.1 401 .*its authority was replaced/s.test(received));
    socket.destroy();
  });

  test("that are bad change nothing, and are told once", async () => {
    await using port = await run();
    await writeFile(file("tls.key"), "half of a key");
    await port.filesAreRead();
    await port.filesAreRead();
    await expect(ask(port.port)).resolves.toEqual(seven);
    expect(port.logged.filter((event) => event === "predictor.files-not-read")).toHaveLength(1);
    await writeFiles(await serverCertificate(predictors), callers);
    await port.filesAreRead();
    await expect(ask(port.port)).resolves.toEqual(seven);
  });

  test("that are bad at the start, and a port that is taken, are said by their option", async () => {
    await using port = await run();
    await expect(run("tls", port.port)).rejects.toThrow(/--predictor-port: Cannot listen on 127\.0\.0\.1:\d+/);
    await rm(file("ca.crt"));
    await expect(run()).rejects.toThrow(/--predictor-client-ca-file: .*ENOENT/);
  });
});

test("plain, whoever reaches the port is answered, as upstream's scheduler asks; and that is said", async () => {
  await using port = await run("plain");
  const path = predictorPaths.predict;
  const request = requestPlain({ host: HOST, port: port.port, method: "POST", path, headers: { "cluster-id": "x" } });
  request.end("{}");
  const [response] = (await once(request, "response")) as [NodeJS.ReadableStream];
  expect(JSON.parse(await text(response))).toEqual(seven);
  expect(port.logged).toContain("predictor.open-to-all");
});

test("nothing that could be used elsewhere goes to an address that a child names: no token, only a certificate (ASK-1)", async () => {
  const { certificatePem: cert, privateKeyPem: key } = await serverCertificate(predictors);
  const seen: unknown[] = [];
  const child = createServer({ cert, key, requestCert: true, rejectUnauthorized: false }, ({ headers, socket }, response) => {
    const subject: unknown = socket instanceof TLSSocket ? socket.getPeerCertificate().subject : undefined;
    seen.push([headers.authorization, headers.cookie, subject]);
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(seven));
  });
  child.listen(0, HOST);
  await once(child, "listening");
  await ask((child.address() as AddressInfo).port);
  child.closeAllConnections();
  child.close();
  expect(seen).toEqual([[undefined, undefined, expect.objectContaining({ CN: NAME })]]);
});
