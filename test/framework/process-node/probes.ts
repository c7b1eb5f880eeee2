// Liveness, readiness and startup probes of one running container.

import { execFile } from "node:child_process";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { connect } from "node:net";
import type { Container, Probe } from "kubernetes-types/core/v1.js";
import { realClock } from "#std/clock.ts";

export interface ProbeTarget {
  readonly container: Container;
  readonly listenAddress: string;
  /** For exec probes. */
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
}

/**
 * A container that is not ready yet is asked more often than its probe says, as its answer changes soon and tests wait for it.
 */
const NOT_READY_PERIOD_MS = 250;

export interface ProbeReport {
  started(): void;
  ready(isReady: boolean): void;
  /** The container must be restarted. */
  unhealthy(reason: string): void;
}

/** Runs until the signal aborts, or until the container was reported unhealthy. */
export async function runProbes(target: ProbeTarget, report: ProbeReport, signal: AbortSignal): Promise<void> {
  const { startupProbe, readinessProbe, livenessProbe } = target.container;
  if (startupProbe !== undefined && !(await waitForStart(target, { probe: startupProbe, report }, signal))) return;
  if (signal.aborted) return;
  report.started();
  if (readinessProbe === undefined) report.ready(true);
  await Promise.all([
    readinessProbe === undefined ? undefined : watchReadiness(target, { probe: readinessProbe, report }, signal),
    livenessProbe === undefined ? undefined : watchLiveness(target, { probe: livenessProbe, report }, signal),
  ]);
}

interface ProbeRun {
  readonly probe: Probe;
  readonly report: ProbeReport;
}

async function waitForStart(target: ProbeTarget, { probe, report }: ProbeRun, signal: AbortSignal): Promise<boolean> {
  const { failureThreshold, periodMs, delayMs } = settingsOf(probe);
  const deadline = realClock.monotonic() + delayMs + failureThreshold * periodMs;
  await realClock.sleep(delayMs, signal);
  while (!signal.aborted) {
    const problem = await runProbe(target, probe, signal);
    if (problem === undefined) return true;
    if (realClock.monotonic() > deadline) {
      report.unhealthy(`Startup probe failed: ${problem}`);
      return false;
    }
    await realClock.sleep(Math.min(periodMs, NOT_READY_PERIOD_MS), signal);
  }
  return false;
}

async function watchReadiness(target: ProbeTarget, { probe, report }: ProbeRun, signal: AbortSignal): Promise<void> {
  const { failureThreshold, successThreshold, periodMs, delayMs } = settingsOf(probe);
  await realClock.sleep(delayMs, signal);
  let isReady = false;
  for (let streak = 0; !signal.aborted;) {
    const succeeded = (await runProbe(target, probe, signal)) === undefined;
    streak = succeeded === isReady ? 0 : streak + 1;
    if (streak >= (isReady ? failureThreshold : successThreshold) && !isAborted(signal)) {
      isReady = succeeded;
      streak = 0;
      report.ready(isReady);
    }
    await realClock.sleep(isReady ? periodMs : Math.min(periodMs, NOT_READY_PERIOD_MS), signal);
  }
}

async function watchLiveness(target: ProbeTarget, { probe, report }: ProbeRun, signal: AbortSignal): Promise<void> {
  const { failureThreshold, periodMs, delayMs } = settingsOf(probe);
  // Not at once: a process that has only just been started does not listen yet, and that is no reason to kill it.
  await realClock.sleep(Math.max(delayMs, periodMs), signal);
  for (let failures = 0; !signal.aborted;) {
    const problem = await runProbe(target, probe, signal);
    failures = problem === undefined ? 0 : failures + 1;
    if (failures >= failureThreshold && !isAborted(signal)) {
      report.unhealthy(`Liveness probe failed: ${problem ?? ""}`);
      return;
    }
    await realClock.sleep(periodMs, signal);
  }
}

function settingsOf({ failureThreshold = 3, successThreshold = 1, periodSeconds = 10, initialDelaySeconds = 0 }: Probe) {
  return { failureThreshold, successThreshold, periodMs: periodSeconds * 1_000, delayMs: initialDelaySeconds * 1_000 };
}

/** undefined when the probe succeeded, else why not. */
async function runProbe(target: ProbeTarget, probe: Probe, signal: AbortSignal): Promise<string | undefined> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout((probe.timeoutSeconds ?? 1) * 1_000)]);
  try {
    if (probe.httpGet !== undefined) return await httpGet(target, probe.httpGet, limit);
    if (probe.tcpSocket !== undefined) {
      const { host = target.listenAddress, port } = probe.tcpSocket;
      return await dial({ host, port: portNumber(target.container, port) }, limit);
    }
    if (probe.exec !== undefined) return await execute(target, probe.exec.command ?? [], limit);
    return "the probe is of a type that a process node has not";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function httpGet(
  { container, listenAddress }: ProbeTarget,
  { host, port, path = "/", scheme, httpHeaders = [] }: NonNullable<Probe["httpGet"]>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const headers = Object.fromEntries(httpHeaders.map(({ name, value }) => [name, value]));
  const options = {
    host: host ?? listenAddress,
    port: portNumber(container, port),
    path,
    headers,
    signal,
    agent: false,
  } as const;
  return new Promise((resolve, reject) => {
    const isHttps = scheme === "HTTPS";
    // A kubelet does not verify the certificate either: it does not know who signed it.
    const request = isHttps ? requestHttps({ ...options, rejectUnauthorized: false }) : requestHttp(options);
    request.on("error", reject);
    request.on("response", (response) => {
      response.resume();
      const status = response.statusCode ?? 0;
      response.on("error", reject).on("end", () => {
        resolve(status >= 200 && status < 400 ? undefined : `HTTP status ${String(status)}`);
      });
    });
    request.end();
  });
}

function dial(where: { readonly host: string; readonly port: number }, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...where, signal });
    socket.on("error", reject).on("connect", () => {
      socket.destroy();
      resolve(undefined);
    });
  });
}

function execute(
  { environment, directory }: ProbeTarget,
  [file = "", ...args]: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(file, args, { env: { ...environment }, cwd: directory, signal }, (error, _stdout, stderr) => {
      resolve(error === null ? undefined : stderr.trim() || error.message);
    });
  });
}

function portNumber({ ports = [] }: Container, port: string | number): number {
  if (typeof port === "number") return port;
  const named = ports.find(({ name }) => name === port)?.containerPort;
  if (named === undefined) throw new Error(`The container has no port named ${port}`);
  return named;
}

/** A function, because the compiler believes that a property stays what it was before a wait. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
