// Carries out the steps of a plan for one release: recover, roll back, uninstall, install, upgrade.

import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import type { Client } from "#kube/client.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { StoredChart } from "./charts/chart-store.ts";
import {
  installArguments,
  rollbackArguments,
  runLimitMs,
  uninstallArguments,
  upgradeArguments,
  type HelmCommand,
} from "./helm-arguments.ts";
import { parseState, type HelmSession, type HelmState } from "./helm-session.ts";
import type { ReleaseKey, ReleaseStep } from "./release-plan.ts";
import { replaceDefinitions } from "./replace-definitions.ts";

export interface StepsOptions {
  readonly release: HelmRelease;
  readonly key: ReleaseKey;
  readonly steps: readonly ReleaseStep[];
  readonly chart: StoredChart;
  readonly session: HelmSession;
  readonly child: Client;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The release as it is after the last step. Throws HelmError at the first that fails. */
export async function release(options: StepsOptions, signal: AbortSignal): Promise<HelmState> {
  const { key, steps, session, release: wanted, log } = options;
  let state: HelmState | undefined;
  for (const { type, reason } of steps) {
    log.info("helm-release.step", { step: type, reason });
    state = (await runStep(type, options, signal)) ?? state;
  }
  return state ?? (await session.state(key, signal)) ?? { status: "unknown", revision: wanted.status?.version ?? 0 };
}

async function runStep(type: ReleaseStep["type"], options: StepsOptions, signal: AbortSignal): Promise<HelmState | undefined> {
  const {
    release: { spec },
    key,
    chart,
    session,
  } = options;
  const command: HelmCommand = { key, spec, major: session.major };
  const limitMs = runLimitMs(spec);
  const stdin = valuesText(spec.overrides);
  switch (type) {
    case "recover": {
      const state = await session.state(key, signal);
      if (state !== undefined) await session.recover(key, state.revision, signal);
      return undefined;
    }
    case "rollback":
      await session.run({ args: rollbackArguments(command), limitMs }, signal);
      return undefined;
    case "uninstall":
      await session.run({ args: uninstallArguments(command), limitMs }, signal);
      return undefined;
    case "install":
      await replaceIfAsked(options, signal);
      return parseState(await session.run({ args: installArguments(command, chart.path), stdin, limitMs }, signal));
    case "upgrade":
      await replaceIfAsked(options, signal);
      return parseState(await session.run({ args: upgradeArguments(command, chart.path), stdin, limitMs }, signal));
    default:
      return type satisfies never;
  }
}

/** Before an installation, too: helm leaves the definitions of an older one behind, and keeps them. */
async function replaceIfAsked({ release: { spec }, chart, child, clock }: StepsOptions, signal: AbortSignal): Promise<void> {
  if (spec.replaceCRDs !== true || spec.skipCRDs === true) return;
  await replaceDefinitions({ chartPath: chart.path, child, clock }, signal);
}

function valuesText(overrides: string | undefined): string {
  const text = Buffer.from(overrides ?? "", "base64")
    .toString("utf8")
    .trim();
  return text === "" ? "{}" : text;
}
