// A ConfigMap with the join-grant label -> who may join as what. Pure.

import { SyncMode } from "#api/fields.ts";
import { joinGrantKeys } from "#api/names.ts";
import type { ConfigMap } from "#kube/builtin-kinds.ts";
import { duration } from "#std/options.ts";
import * as z from "zod";

export interface JoinGrant {
  /** Of the ConfigMap. */
  readonly name: string;
  /** Who may use it: `system:bootstrap:<token id>` or `system:serviceaccount:<namespace>:<name>`. */
  readonly username: string;
  readonly clusterName: string;
  /** Absent: the approver makes one. */
  readonly clusterNamespace?: string;
  /** The labels that the ManagedCluster gets, and the only ones that its agent may claim. */
  readonly clusterLabels: Readonly<Record<string, string>>;
  /** Empty: any. */
  readonly syncModes: readonly SyncMode[];
  /** Milliseconds since the epoch from when on it lets nobody in any more; absent: never. Who is in stays. */
  readonly expiresAtMs?: number;
  readonly isDeleting: boolean;
}

export type ParsedGrant =
  | { readonly type: "grant"; readonly grant: JoinGrant }
  | { readonly type: "invalid"; readonly name: string; readonly username: string; readonly message: string };

const USERNAME = /^system:(bootstrap:[a-z0-9]{6}|serviceaccount:[a-z0-9.-]+:[a-z0-9.-]+)$/;

const Data = z.object({
  [joinGrantKeys.username]: z
    .string()
    .regex(USERNAME, "Expected system:bootstrap:<token id> or system:serviceaccount:<ns>:<name>"),
  [joinGrantKeys.clusterName]: z.string().regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/),
  [joinGrantKeys.clusterNamespace]: z.string().default(""),
  [joinGrantKeys.clusterLabels]: z
    .string()
    .default("{}")
    .transform((text, context) => {
      const parsed = z.record(z.string(), z.string()).safeParse(parseJson(text));
      if (parsed.success) return parsed.data;
      context.addIssue({ code: "custom", message: "Expected a JSON object of strings" });
      return z.NEVER;
    }),
  [joinGrantKeys.syncModes]: z
    .string()
    .default("")
    .transform((text) => text.split(",").filter((mode) => mode !== ""))
    .pipe(z.array(SyncMode)),
  [joinGrantKeys.validFor]: duration.optional(),
});

export function parseJoinGrant({ metadata, data }: ConfigMap): ParsedGrant {
  const parsed = Data.safeParse(data ?? {});
  if (!parsed.success) {
    const message = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
    return { type: "invalid", name: metadata.name, username: data?.[joinGrantKeys.username] ?? "", message };
  }
  const { clusterNamespace, validFor, ...rest } = parsed.data;
  const createdAtMs = Date.parse(metadata.creationTimestamp ?? "");
  return {
    type: "grant",
    grant: {
      name: metadata.name,
      ...rest,
      ...(clusterNamespace === "" ? {} : { clusterNamespace }),
      // Counted from the server's own time, so whoever applies the same grant again changes nothing.
      ...(validFor === undefined ? {} : { expiresAtMs: createdAtMs + validFor }),
      isDeleting: metadata.deletionTimestamp !== undefined,
    },
  };
}

/** Annotation `granted-labels` of a ManagedCluster; nothing when it is absent or damaged. */
export function parseGrantedLabels(text: string | undefined): Readonly<Record<string, string>> {
  const parsed = z.record(z.string(), z.string()).safeParse(parseJson(text ?? "{}"));
  return parsed.success ? parsed.data : {};
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
