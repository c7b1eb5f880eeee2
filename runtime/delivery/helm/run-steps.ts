// Carries out the steps of a plan for one release: recover, roll back, uninstall, install, upgrade.

import { parseAllDocuments } from "yaml";
import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { CustomResourceDefinition } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import type { Logger } from "#std/log.ts";
import { isJsonObject } from "#delivery/json.ts";
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

/** Rendering nothing: reading a file. */
const SHOW_MS_MAX = 30_000;
const FIELD_MANAGER = "helm";

export interface StepsOptions {
  readonly release: HelmRelease;
  readonly key: ReleaseKey;
  readonly steps: readonly ReleaseStep[];
  readonly chart: StoredChart;
  readonly session: HelmSession;
  readonly child: Client;
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
      return parseState(await session.run({ args: installArguments(command, chart.path), stdin, limitMs }, signal));
    case "upgrade":
      if (spec.replaceCRDs === true && spec.skipCRDs !== true) await replaceDefinitions(options, signal);
      return parseState(await session.run({ args: upgradeArguments(command, chart.path), stdin, limitMs }, signal));
    default:
      return type satisfies never;
  }
}

/** helm installs the definitions of a chart once and never touches them again. */
async function replaceDefinitions({ chart, session, child }: StepsOptions, signal: AbortSignal): Promise<void> {
  const text = await session.run({ args: ["show", "crds", chart.path], limitMs: SHOW_MS_MAX }, signal);
  for (const document of parseAllDocuments(text)) {
    const object: unknown = document.toJS();
    if (!isDefinition(object)) continue;
    await child.apply(CustomResourceDefinition, object, { fieldManager: FIELD_MANAGER, force: true }, signal);
  }
}

function isDefinition(value: unknown): value is CustomResourceDefinition {
  return isJsonObject(value) && value["kind"] === CustomResourceDefinition.kind && isJsonObject(value["metadata"]);
}

function valuesText(overrides: string | undefined): string {
  const text = Buffer.from(overrides ?? "", "base64")
    .toString("utf8")
    .trim();
  return text === "" ? "{}" : text;
}
