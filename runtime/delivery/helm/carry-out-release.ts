// One reconcile of a HelmRelease, for pull and push alike: make the release in the cluster what the HelmRelease says, or uninstall it.
//
// (REL-1) What is about to be made is recorded in the status before helm runs; only that is ever uninstalled.
// (REL-2) While the hash of what was released is that of the spec, helm does not run and nothing is written.
// (REL-3) Of two HelmReleases for one release the older one has it; the other one fails and says so, and never uninstalls it.
// (REL-4) A failure is tried again later and later, at once when the spec changes.
// (REL-5) A release that is pending while we are the one who delivers was left so by a run that was killed: it is taken up again.
// (REL-6) With spec.delivery.onDelete Retain nothing is uninstalled: neither when it is deleted, nor for a new name or namespace.

import { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { normalEventReasons, warningEventReasons } from "#api/event-reasons.ts";
import { conditionTypes } from "#api/names.ts";
import type { Client } from "#kube/client.ts";
import { isConditionTrue } from "#kube/conditions.ts";
import { after, done, type Result } from "#kube/controller.ts";
import { isConflict } from "#kube/errors.ts";
import type { EventRecorder } from "#kube/events.ts";
import { keyOf, keyTextOf } from "#kube/object.ts";
import { patchStatusIfChanged } from "#kube/write-if-changed.ts";
import { backoffMs, type Backoff } from "#std/backoff.ts";
import type { Clock } from "#std/clock.ts";
import { errorChain } from "#std/errors.ts";
import type { Logger } from "#std/log.ts";
import { policyOf } from "#delivery/policy.ts";
import { ChartError } from "./charts/chart-error.ts";
import type { ChartStore } from "./charts/chart-store.ts";
import type { Access } from "./charts/fetch.ts";
import type { ClusterProxy } from "./cluster-proxy.ts";
import { uninstallArguments } from "./helm-arguments.ts";
import { HelmUnavailableError, type Helm } from "./helm-process.ts";
import { hideCredentials, statusWithoutCredentials } from "./hide-credentials.ts";
import { HelmError, isNoRelease, openSession, type HelmSession, type HelmState } from "./helm-session.ts";
import { runLimitMs } from "./helm-arguments.ts";
import { release as releaseIt } from "./run-steps.ts";
import {
  isReleased,
  isWantedByAnother,
  planRelease,
  releaseKeyOf,
  releaseKeyText,
  releaseOwner,
  type ReleaseKey,
} from "./release-plan.ts";
import { failedStatus, releasedStatus, removedStatus, startedStatus, type ReleaseFailure } from "./release-status.ts";

/** A run costs seconds of a processor, and mostly fails for a reason that a person must mend. */
const RETRY: Backoff = { firstMs: 2_000, maxMs: 300_000 };

/** Longer than any run of helm may take (helm-arguments.ts), twice. */
export const RELEASE_RECONCILE_MS_MAX = 4 * 3_600_000;

export interface ReleaseDeps {
  readonly parent: Client;
  /** As the identity that childIdentityOf() names. */
  readonly child: Client;
  readonly helm: Helm;
  readonly proxy: ClusterProxy;
  readonly charts: ChartStore;
  /** How the chart's repository is reached; throws ChartError when its pull secret may not be used. */
  accessOf(release: HelmRelease, signal: AbortSignal): Promise<Access>;
  /** The other HelmReleases of this cluster. */
  others(release: HelmRelease): readonly HelmRelease[];
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface ReleaseRunner {
  carryOut(release: HelmRelease, deps: ReleaseDeps, signal: AbortSignal): Promise<Result>;
  /** The HelmRelease is gone. */
  forget(key: string): void;
}

interface Failed {
  readonly generation: number | undefined;
  readonly isDeleting: boolean;
  readonly attempts: number;
  readonly retryAtMs: number;
}

/** Remembers which releases failed, so that their own status writes do not bring them back at once. */
export function createReleaseRunner(): ReleaseRunner {
  const failures = new Map<string, Failed>();

  async function carryOut(release: HelmRelease, deps: ReleaseDeps, signal: AbortSignal): Promise<Result> {
    const { clock, log } = deps;
    const key = keyTextOf(release);
    const { generation, deletionTimestamp } = release.metadata;
    const isDeleting = deletionTimestamp !== undefined;
    const before = failures.get(key);
    const isSame = before?.generation === generation && before?.isDeleting === isDeleting;
    const waitMs = before === undefined || !isSame ? 0 : before.retryAtMs - clock.monotonic();
    if (waitMs > 0) return after(waitMs);
    const failure = isDeleting ? await remove(release, deps, signal) : await ensure(release, deps, signal);
    if (failure === undefined) {
      failures.delete(key);
      return done;
    }
    const attempts = before === undefined || !isSame ? 0 : before.attempts + 1;
    const delayMs = backoffMs(attempts, RETRY);
    failures.set(key, { generation, isDeleting, attempts, retryAtMs: clock.monotonic() + delayMs });
    log.warn("helm-release.failed", {
      reason: failure.reason,
      message: failure.message,
      attempts: attempts + 1,
      retryInMs: delayMs,
    });
    return after(delayMs);
  }

  return { carryOut, forget: (key) => failures.delete(key) };
}

async function ensure(cached: HelmRelease, deps: ReleaseDeps, signal: AbortSignal): Promise<ReleaseFailure | undefined> {
  const { parent, clock } = deps;
  // The cache may not know yet what we wrote a moment ago; before helm runs, and only then, ask.
  const release = isReleased(cached) ? cached : await parent.get(HelmRelease, keyOf(cached), signal);
  if (release === undefined || release.metadata.deletionTimestamp !== undefined) return undefined;
  let current = release;
  const write = async (said: NonNullable<HelmRelease["status"]>): Promise<void> => {
    const status = statusWithoutCredentials(said, release.spec.overrides);
    current = await patchStatusIfChanged(parent, { type: HelmRelease, object: current, status }, signal);
  };
  if (isReleased(release)) {
    await write({ observedGeneration: release.metadata.generation ?? 0 });
    return undefined;
  }
  const run: { state: HelmState | undefined } = { state: undefined };
  try {
    const owner = releaseOwner(release, deps.others(release));
    if (owner !== undefined) {
      const message = `Release ${releaseKeyText(releaseKeyOf(release))} belongs to HelmRelease ${owner.metadata.name}`;
      return await fail({ reason: "ReleaseConflict", message });
    }
    const key = releaseKeyOf(release);
    using chart = await deps.charts.get(release.spec, await deps.accessOf(release, signal), signal);
    await using session = await openSession(deps, signal);
    await uninstallFormer(release, { session, deps }, signal);
    run.state = await session.state(key, signal);
    const steps = planRelease(run.state, release.spec);
    const isRetry = release.status?.phase === "failed" && release.status.observedGeneration === release.metadata.generation;
    const [last] = steps.slice(-1);
    const phase = isRetry ? "failed" : last?.type === "install" ? "pending-install" : "pending-upgrade";
    await write(isRetry ? { releasedAs: releaseKeyText(key) } : startedStatus(release, phase, releaseKeyText(key)));
    const { child, log } = deps;
    run.state = await releaseIt({ release, key, steps, chart, session, child, clock, log }, signal);
    await write(releasedStatus(current, { state: run.state, chartVersion: chart.version }, clock.now()));
    deps.log.info("helm-release.released", {
      steps: steps.map(({ type }) => type),
      revision: run.state.revision,
      chart: chart.version,
    });
    const message = `${release.spec.chart} ${chart.version}, revision ${String(run.state.revision)}`;
    deps.events.record(release, { type: "Normal", reason: normalEventReasons.helmReleaseUpdated, message });
    return undefined;
  } catch (error) {
    if (signal.aborted || isConflict(error)) throw error;
    const state = await stateAfter(release, deps, signal);
    return fail(failureOf(error), state ?? run.state);
  }

  async function fail(said: ReleaseFailure, state?: HelmState): Promise<ReleaseFailure> {
    // It becomes an Event and a log line, too.
    const failure = { ...said, message: hideCredentials(said.message, current.spec.overrides) };
    await write(failedStatus(current, { failure, state }, clock.now()));
    const reason =
      failure.reason === "ChartUnavailable" ? warningEventReasons.chartLocateFailure : warningEventReasons.helmReleaseFailure;
    deps.events.record(current, { type: "Warning", reason, message: failure.message });
    return failure;
  }
}

/** What helm recorded about a run that failed; undefined when that cannot be asked either. */
async function stateAfter(release: HelmRelease, deps: ReleaseDeps, signal: AbortSignal): Promise<HelmState | undefined> {
  try {
    await using session = await openSession(deps, signal);
    return await session.state(releaseKeyOf(release), signal);
  } catch (error) {
    if (signal.aborted) throw error;
    return undefined;
  }
}

interface InSession {
  readonly session: HelmSession;
  readonly deps: ReleaseDeps;
}

/** Another name or namespace is another release: the former one goes, unless somebody else wants it. */
async function uninstallFormer(release: HelmRelease, { session, deps }: InSession, signal: AbortSignal): Promise<void> {
  const former = release.status?.releasedAs;
  if (former === undefined || former === releaseKeyText(releaseKeyOf(release))) return;
  if (isRetainedRelease(release) || isWantedByAnother(former, release, deps.others(release))) return;
  await uninstall({ release, key: parseKey(former), session }, signal);
}

async function remove(release: HelmRelease, deps: ReleaseDeps, signal: AbortSignal): Promise<ReleaseFailure | undefined> {
  const { parent, clock } = deps;
  if (isConditionTrue(release.status?.conditions, conditionTypes.removed)) return undefined;
  const releasedAs = release.status?.releasedAs;
  let failure: ReleaseFailure | undefined;
  const isRetained = isRetainedRelease(release);
  if (releasedAs !== undefined && !isRetained && !isWantedByAnother(releasedAs, release, deps.others(release))) {
    try {
      await using session = await openSession(deps, signal);
      await uninstall({ release, key: parseKey(releasedAs), session }, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      failure = failureOf(error);
    }
  }
  const status = removedStatus(release, { failure, isRetained }, clock.now());
  await patchStatusIfChanged(parent, { type: HelmRelease, object: release, status }, signal);
  if (failure === undefined)
    deps.log.info(isRetained ? "helm-release.retained" : "helm-release.uninstalled", { release: releasedAs });
  else deps.events.record(release, { type: "Warning", reason: warningEventReasons.helmReleaseFailure, message: failure.message });
  return failure;
}

async function uninstall(
  { release, key, session }: { readonly release: HelmRelease; readonly key: ReleaseKey; readonly session: HelmSession },
  signal: AbortSignal,
): Promise<void> {
  const { spec } = release;
  const args = uninstallArguments({ key, spec, major: session.major });
  try {
    await session.run({ args, limitMs: runLimitMs(spec) }, signal);
  } catch (error) {
    if (error instanceof HelmError && isNoRelease({ stderr: error.message })) return;
    throw error;
  }
}

/** (REL-6) */
function isRetainedRelease({ spec }: HelmRelease): boolean {
  return policyOf(spec).onDelete === "Retain";
}

function parseKey(text: string): ReleaseKey {
  const slash = text.indexOf("/");
  return { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
}

function failureOf(error: unknown): ReleaseFailure {
  const message = errorChain(error);
  if (error instanceof ChartError) return { reason: "ChartUnavailable", message };
  if (error instanceof HelmUnavailableError) return { reason: "HelmUnavailable", message };
  if (!(error instanceof HelmError)) return { reason: "Stopped", message };
  return /cluster unreachable|connection refused|ServiceUnavailable/i.test(message)
    ? { reason: "ClusterUnreachable", message }
    : { reason: "HelmFailed", message };
}
