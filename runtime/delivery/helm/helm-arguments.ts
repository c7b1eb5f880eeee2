// HelmRelease options -> helm's arguments, which differ between helm 3 and 4 in a few places. Pure; no argument holds a secret.

import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import type { HelmMajor } from "./helm-process.ts";
import type { ReleaseKey } from "./release-plan.ts";

type Spec = HelmRelease["spec"];

/** Revisions that helm keeps, as upstream. */
const HISTORY_MAX = 5;
/** A wait without end would hold a place for ever. */
const TIMEOUT_SECONDS = { min: 1, max: 3_000 } as const;
/** What helm does besides waiting: rendering, applying, hooks. */
const RUN_MARGIN_MS = 60_000;

export interface HelmCommand {
  readonly key: ReleaseKey;
  readonly spec: Spec;
  readonly major: HelmMajor;
}

export function installArguments(command: HelmCommand, chartPath: string): readonly string[] {
  const { key, spec, major } = command;
  return [
    ...["install", key.name, chartPath, ...common(command), "--output", "json", "--values", "-"],
    ...flag("--create-namespace", spec.createNamespace),
    ...flag("--replace", spec.replace),
    ...flag(major === 3 ? "--atomic" : "--rollback-on-failure", spec.atomic),
    ...flag("--skip-crds", spec.skipCRDs),
    ...waiting(spec),
  ];
}

export function upgradeArguments(command: HelmCommand, chartPath: string): readonly string[] {
  const { key, spec, major } = command;
  return [
    // Without --reset-values an upgrade without values would keep those of before.
    ...["upgrade", key.name, chartPath, ...common(command), "--output", "json", "--values", "-", "--reset-values"],
    ...["--history-max", String(HISTORY_MAX)],
    ...flag(major === 3 ? "--atomic" : "--rollback-on-failure", spec.upgradeAtomic),
    ...flag(major === 3 ? "--force" : "--force-replace", spec.force),
    ...flag("--skip-crds", spec.skipCRDs),
    ...waiting(spec),
  ];
}

/** To the revision before. */
export function rollbackArguments(command: HelmCommand): readonly string[] {
  return ["rollback", command.key.name, ...common(command), "--history-max", String(HISTORY_MAX), ...waiting(command.spec)];
}

export function uninstallArguments(command: HelmCommand): readonly string[] {
  return ["uninstall", command.key.name, ...common(command), ...flag("--wait", command.spec.wait)];
}

export function statusArguments({ namespace, name }: ReleaseKey): readonly string[] {
  return ["status", name, "--namespace", namespace, "--output", "json"];
}

/** How long one run may take before it is stopped; with atomic it may wait a second time, for the way back. */
export function runLimitMs({ timeoutSeconds, atomic, upgradeAtomic }: Spec): number {
  const waits = atomic === true || upgradeAtomic === true ? 2 : 1;
  return boundedSeconds(timeoutSeconds) * 1_000 * waits + RUN_MARGIN_MS;
}

function common({ key, spec }: HelmCommand): readonly string[] {
  const timeout = `${String(boundedSeconds(spec.timeoutSeconds))}s`;
  return ["--namespace", key.namespace, "--timeout", timeout, ...flag("--no-hooks", spec.disableHooks)];
}

/** Jobs are waited for only by who waits at all. */
function waiting({ wait, waitForJob }: Spec): readonly string[] {
  return [...flag("--wait", wait === true || waitForJob === true), ...flag("--wait-for-jobs", waitForJob)];
}

function flag(name: string, isSet: boolean | undefined): readonly string[] {
  return isSet === true ? [name] : [];
}

function boundedSeconds(seconds: number): number {
  return Math.min(Math.max(seconds, TIMEOUT_SECONDS.min), TIMEOUT_SECONDS.max);
}
