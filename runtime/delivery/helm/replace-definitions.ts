// replaceCRDs: the CustomResourceDefinitions of a chart become what the chart says. (helm makes them once and never touches them again.)
//
// (CRD-1) A definition is replaced as a whole: a field that the chart no longer has is gone. Labels and annotations of others stay.
// (CRD-2) Those of a chart in `charts/` are replaced where they are, and never made: it may be switched off.

import { readFile } from "node:fs/promises";
import { parseAllDocuments } from "yaml";
import { CustomResourceDefinition } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import { isAlreadyExists, isConflict } from "#kube/errors.ts";
import type { Clock } from "#std/clock.ts";
import { isEstablishedInTime } from "#delivery/established.ts";
import { isJsonObject } from "#delivery/json.ts";
import { definitionFiles, isOfSubchart } from "./charts/archive.ts";
import { HelmError } from "./helm-session.ts";

/** Somebody else writes it at the same time, its own controllers for example. */
const ATTEMPTS_MAX = 5;
const ESTABLISH_MS_MAX = 30_000;

export interface ReplaceOptions {
  readonly chartPath: string;
  readonly child: Client;
  readonly clock: Clock;
}

/** Throws HelmError when one cannot be read or written. */
export async function replaceDefinitions({ chartPath, child, clock }: ReplaceOptions, signal: AbortSignal): Promise<void> {
  const files = definitionFiles(await readFile(chartPath, { signal }));
  const definitions = files.flatMap((file) => definitionsIn(file.text, file.path).map((each) => ({ each, file })));
  const made: string[] = [];
  for (const { each, file } of definitions) {
    if (await putDefinition(each, { child, mayMake: !isOfSubchart(file) }, signal)) made.push(each.metadata.name);
  }
  for (const name of made) {
    if (await isEstablishedInTime({ name }, { child, clock, limitMs: ESTABLISH_MS_MAX }, signal)) continue;
    throw new HelmError(`CustomResourceDefinition ${name} is not established after ${String(ESTABLISH_MS_MAX)} ms`);
  }
}

function definitionsIn(text: string, path: string): readonly CustomResourceDefinition[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [problem] = document.errors;
    if (problem !== undefined) throw new HelmError(`${path} of the chart cannot be read: ${problem.message}`);
    const object: unknown = document.toJS({ maxAliasCount: 100 });
    return isDefinition(object) ? [object] : [];
  });
}

function isDefinition(value: unknown): value is CustomResourceDefinition {
  if (!isJsonObject(value) || !isJsonObject(value["metadata"])) return false;
  return value["kind"] === CustomResourceDefinition.kind && typeof value["metadata"]["name"] === "string";
}

/** true: it was made. */
async function putDefinition(
  wanted: CustomResourceDefinition,
  { child, mayMake }: { readonly child: Client; readonly mayMake: boolean },
  signal: AbortSignal,
): Promise<boolean> {
  const { name } = wanted.metadata;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const live = await child.get(CustomResourceDefinition, { name }, signal);
      if (live !== undefined) await child.update(CustomResourceDefinition, replaced(live, wanted), signal);
      else if (mayMake) await child.create(CustomResourceDefinition, wanted, signal);
      return live === undefined && mayMake;
    } catch (error) {
      if (attempt < ATTEMPTS_MAX && (isConflict(error) || isAlreadyExists(error))) continue;
      if (signal.aborted) throw error;
      throw new HelmError(`replaceCRDs: CustomResourceDefinition ${name} cannot be replaced`, { cause: error });
    }
  }
}

function replaced(live: CustomResourceDefinition, { spec, metadata }: CustomResourceDefinition): CustomResourceDefinition {
  const { labels, annotations } = live.metadata;
  return {
    ...live,
    metadata: {
      ...live.metadata,
      labels: { ...labels, ...metadata.labels },
      annotations: { ...annotations, ...metadata.annotations },
    },
    spec,
  };
}
