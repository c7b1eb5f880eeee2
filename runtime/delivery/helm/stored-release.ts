// The record that helm keeps of a release: a Secret with the release as JSON, compressed. Pure.

import { gunzipSync, gzipSync } from "node:zlib";
import type { Secret } from "#kube/builtin-kinds.ts";
import { isJsonObject } from "#delivery/json.ts";
import { parseExactJson } from "#std/exact-json.ts";

/** Compressed it fits into a Secret of 1 MiB; more than this is no release. */
const RELEASE_BYTES_MAX = 128 * 1024 * 1024;

const DESCRIPTION = "Interrupted: whoever ran it was stopped";

/** The same record, saying that the run failed; undefined when it is not pending, or not a record that we understand. */
export function markedFailed(secret: Secret): Secret | undefined {
  const { release: data } = secret.data ?? {};
  if (data === undefined || !(secret.metadata.labels?.["status"] ?? "").startsWith("pending-")) return undefined;
  try {
    const packed = Buffer.from(Buffer.from(data, "base64").toString("latin1"), "base64");
    const release = parseExactJson(gunzipSync(packed, { maxOutputLength: RELEASE_BYTES_MAX }).toString("utf8"));
    if (!isJsonObject(release) || !isJsonObject(release["info"])) return undefined;
    const failed = { ...release, info: { ...release["info"], status: "failed", description: DESCRIPTION } };
    const text = Buffer.from(gzipSync(JSON.stringify(failed)).toString("base64"), "latin1").toString("base64");
    return {
      ...secret,
      metadata: { ...secret.metadata, labels: { ...secret.metadata.labels, status: "failed" } },
      data: { ...secret.data, release: text },
    };
  } catch {
    return undefined;
  }
}
