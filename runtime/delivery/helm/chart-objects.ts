// What a chart would install, without installing it: `helm template`, offline, and only the kinds that are asked for.

import { parseAllDocuments } from "yaml";
import { isJsonObject, type JsonObject } from "#delivery/json.ts";
import type { Helm } from "./helm-process.ts";
import { failureText, HelmError } from "./helm-session.ts";
import type { ReleaseKey } from "./release-plan.ts";

/** It asks no cluster and waits for nothing. */
const RENDER_MS_MAX = 30_000;
/** helm could not store a release of more. */
const RENDERED_CHARS_MAX = 16 * 1024 * 1024;
const ALIASES_MAX = 100;

export interface RenderOptions {
  readonly helm: Helm;
  readonly chartPath: string;
  readonly key: ReleaseKey;
  readonly values: JsonObject;
  readonly kinds: ReadonlySet<string>;
}

/** Hooks and tests come and go: they are not counted. Throws HelmError. */
export async function chartObjects(
  { helm, chartPath, key, values, kinds }: RenderOptions,
  signal: AbortSignal,
): Promise<readonly JsonObject[]> {
  const { namespace, name } = key;
  const args = ["template", name, chartPath, "--namespace", namespace, "--values", "-", "--no-hooks", "--skip-tests"];
  const { ok, stdout, stderr } = await helm.run({ args, stdin: JSON.stringify(values), limitMs: RENDER_MS_MAX }, signal);
  if (!ok) throw new HelmError(failureText(stderr, helm));
  if (stdout.length > RENDERED_CHARS_MAX) {
    throw new HelmError(`It renders to more than ${String(RENDERED_CHARS_MAX)} characters`);
  }
  return objectsIn(stdout, kinds);
}

/** A document that names none of the kinds is not even parsed: charts bring long definitions and dashboards along. */
export function objectsIn(text: string, kinds: ReadonlySet<string>): readonly JsonObject[] {
  const named = new RegExp(`kind["']?\\s*:\\s*["']?(${[...kinds, "List"].join("|")})\\b`);
  return documentsIn(text)
    .filter((document) => named.test(document))
    .flatMap(parsed)
    .flatMap(unlisted)
    .filter(({ kind }) => typeof kind === "string" && kinds.has(kind));
}

/** All of them, of any kind. */
export function everyObjectIn(text: string): readonly JsonObject[] {
  return documentsIn(text).flatMap(parsed).flatMap(unlisted);
}

function documentsIn(text: string): readonly string[] {
  return text.split(/^---$/m);
}

/** As Kubernetes reads YAML: 1.1, with merge keys. */
function parsed(text: string): readonly JsonObject[] {
  return parseAllDocuments(text, { version: "1.1", uniqueKeys: false }).flatMap((document) => {
    const [problem] = document.errors;
    if (problem !== undefined) throw new HelmError(`What it renders to cannot be read: ${problem.message}`);
    const object: unknown = document.toJS({ maxAliasCount: ALIASES_MAX });
    return isJsonObject(object) ? [object] : [];
  });
}

function unlisted(object: JsonObject): readonly JsonObject[] {
  const { kind, items } = object;
  return kind === "List" && Array.isArray(items) ? items.filter(isJsonObject) : [object];
}
