// The record that helm keeps of a release: a Secret with the release as JSON, compressed. Pure.

import { gunzipSync, gzipSync } from "node:zlib";
import type { Secret } from "#kube/builtin-kinds.ts";
import { isJsonObject, type JsonObject } from "#delivery/json.ts";
import { parseExactJson } from "#std/exact-json.ts";

/** Compressed it fits into a Secret of 1 MiB; more than this is no release. */
const RELEASE_BYTES_MAX = 128 * 1024 * 1024;

const DESCRIPTION = "Interrupted: whoever ran it was stopped";

/** Where helm keeps a revision: in the namespace of the release. */
export function releaseSecretName({ name, revision }: { readonly name: string; readonly revision: number }): string {
  return `sh.helm.release.v1.${name}.v${String(revision)}`;
}

/** What a revision installed, hooks left out, as YAML; undefined when it is not the one in force, or no record that we understand. */
export function deployedManifest(secret: Secret): string | undefined {
  if (secret.metadata.labels?.["status"] !== "deployed") return undefined;
  const manifest = recordOf(secret)?.["manifest"];
  return typeof manifest === "string" ? manifest : undefined;
}

/** The same record, saying that the run failed; undefined when it is not pending, or not a record that we understand. */
export function markedFailed(secret: Secret): Secret | undefined {
  if (!(secret.metadata.labels?.["status"] ?? "").startsWith("pending-")) return undefined;
  const release = recordOf(secret);
  if (release === undefined || !isJsonObject(release["info"])) return undefined;
  const failed = { ...release, info: { ...release["info"], status: "failed", description: DESCRIPTION } };
  const text = Buffer.from(gzipSync(JSON.stringify(failed)).toString("base64"), "latin1").toString("base64");
  return {
    ...secret,
    metadata: { ...secret.metadata, labels: { ...secret.metadata.labels, status: "failed" } },
    data: { ...secret.data, release: text },
  };
}

function recordOf({ data }: Secret): JsonObject | undefined {
  const { release } = data ?? {};
  if (release === undefined) return undefined;
  try {
    const packed = Buffer.from(Buffer.from(release, "base64").toString("latin1"), "base64");
    const record = parseExactJson(gunzipSync(packed, { maxOutputLength: RELEASE_BYTES_MAX }).toString("utf8"));
    return isJsonObject(record) ? record : undefined;
  } catch {
    return undefined;
  }
}
