// The integration's settings: a ConfigMap, so that a program can create it last and delete it first. Pure.

import * as z from "zod";
import { finalizers, namespaces } from "#api/names.ts";
import { clusterApiSettingsKeys } from "#install/cluster-api-integration.ts";
import type { ConfigMap } from "#kube/builtin-kinds.ts";
import type { SettingsState } from "./plan.ts";

export const SettingsData = z
  .object({
    [clusterApiSettingsKeys.image]: z.string().min(1),
    [clusterApiSettingsKeys.imagePullPolicy]: z.enum(["Always", "IfNotPresent", "Never"]).optional(),
    [clusterApiSettingsKeys.parentUrl]: z.url({ protocol: /^https$/ }),
    [clusterApiSettingsKeys.parentCaPem]: z.string().optional(),
  })
  .transform((data) => ({
    image: data.image,
    imagePullPolicy: data.imagePullPolicy,
    parentUrl: data.parentURL,
    // A kubeconfig without an authority leaves this empty: the parent's certificate is one that systems trust.
    parentCaPem: data["ca.crt"] === "" ? undefined : data["ca.crt"],
    /** Where the agent lives in a workload cluster. */
    namespace: namespaces.system,
  }));

export type IntegrationSettings = z.output<typeof SettingsData>;

export type ReadSettings =
  | { readonly state: Exclude<SettingsState, "ready" | "invalid"> }
  | { readonly state: "invalid"; readonly problem: string }
  | { readonly state: "ready"; readonly settings: IntegrationSettings };

/** Not `ready` before our finalizer is on it: from then on its deletion waits until what we made is gone. */
export function readSettings(object: Pick<ConfigMap, "metadata" | "data"> | undefined): ReadSettings {
  if (object === undefined) return { state: "missing" };
  if (object.metadata.deletionTimestamp !== undefined) return { state: "uninstalling" };
  const parsed = SettingsData.safeParse(object.data ?? {});
  if (!parsed.success) {
    const problem = parsed.error.issues.map(({ path, message }) => `${path.map(String).join(".")}: ${message}`).join("; ");
    return { state: "invalid", problem };
  }
  if (object.metadata.finalizers?.includes(finalizers.clusterApi) !== true) return { state: "pending" };
  return { state: "ready", settings: parsed.data };
}
