// Pulumi property values as plain JSON: secrets and unknowns are marked inside the JSON, as on the wire.

import { createHash } from "node:crypto";

export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}
/** The same while it is being put together. */
export type MutableJsonObject = Record<string, Json>;

/** Marks a wrapped value; its own value says what kind of wrapper it is. */
const SIGNATURE_KEY = "4dabf18193072939515e22adb298388d";
const SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270";
/** Stands for a string, number, …, that is only known after the update. */
const UNKNOWN_VALUES = new Set([
  "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "030794c1-ac77-496b-92df-f27374a8bd58",
  "e48ece36-62e2-4504-bad9-02848725956a",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);

// Programs in some languages cannot have a dash in a property's name, so the state has these with underscores.
const DASHED_NAMES = [
  "x-kubernetes-embedded-resource",
  "x-kubernetes-int-or-string",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-list-type",
  "x-kubernetes-map-type",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-validations",
];
const dashOf = new Map(DASHED_NAMES.map((name) => [name.replaceAll("-", "_"), name]));
const underscoreOf = new Map(DASHED_NAMES.map((name) => [name, name.replaceAll("-", "_")]));

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isArray(value: unknown): value is readonly Json[] {
  return Array.isArray(value);
}

export function isUnknown(value: Json | undefined): boolean {
  return typeof value === "string" && UNKNOWN_VALUES.has(value);
}

function isSecret(value: Json | undefined): boolean {
  return isObject(value) && value[SIGNATURE_KEY] === SECRET_SIGNATURE;
}

function makeSecret(value: Json): Json {
  return isSecret(value) ? value : { [SIGNATURE_KEY]: SECRET_SIGNATURE, value };
}

export function hasUnknown(value: Json | undefined): boolean {
  if (isArray(value)) return value.some(hasUnknown);
  if (isObject(value)) return Object.values(value).some(hasUnknown);
  return isUnknown(value);
}

function containsSecret(value: Json): boolean {
  if (isArray(value)) return value.some(containsSecret);
  return isObject(value) && (isSecret(value) || Object.values(value).some(containsSecret));
}

/** Secrets as their values, underscored names as Kubernetes spells them, without nulls. */
export function toKubernetes(value: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== null)
      .map(([name, field]) => [dashOf.get(name) ?? name, plainValue(field)]),
  );
}

function plainValue(value: Json): Json {
  if (isArray(value)) return value.map(plainValue);
  if (!isObject(value)) return value;
  return isSecret(value) ? plainValue(value["value"] ?? null) : toKubernetes(value);
}

/** The names that the state has, see above. */
export function toStateNames(value: JsonObject): JsonObject {
  const rename = (field: Json): Json => (isArray(field) ? field.map(rename) : isObject(field) ? toStateNames(field) : field);
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [underscoreOf.get(name) ?? name, rename(field)]));
}

/**
 * `outputs` with everything made secret that is secret in `inputs` at the same place; data of Secrets always.
 * A list with a secret anywhere becomes secret as a whole, because its order may change.
 */
export function withSecretsOf(outputs: JsonObject, inputs: JsonObject | undefined): JsonObject {
  const result: MutableJsonObject = { ...outputs };
  if (outputs["kind"] === "Secret") {
    for (const name of ["data", "stringData"]) {
      const field = outputs[name];
      if (field !== undefined) result[name] = makeSecret(field);
    }
    return result;
  }
  for (const [name, input] of Object.entries(inputs ?? {})) {
    const output = outputs[name];
    if (output === undefined) continue;
    if (isObject(output) && isObject(input) && !isSecret(input)) result[name] = withSecretsOf(output, input);
    else if (containsSecret(input)) result[name] = makeSecret(output);
  }
  return result;
}

/** Eight hexadecimal digits that are the same for the same seed and prefix, so that preview and update agree. */
export function uniqueSuffix(seed: Uint8Array, prefix: string): string {
  return createHash("sha256").update(seed).update(prefix).digest("hex").slice(0, 8);
}
