// A HelmChart or HelmRelease -> how its repository is reached: with the credential in its pull secret, if that may be used.

import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { annotations, secretKeys } from "#api/names.ts";
import { Secret } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import { isForbidden } from "#kube/errors.ts";
import { ChartError } from "./chart-error.ts";
import type { Access } from "./fetch.ts";

type PullSecretUser = Pick<HelmRelease["spec"], "chartPullSecret" | "plainHTTP">;

export interface SecretReader {
  /** The parent, where pull secrets are. */
  readonly parent: Client;
  /**
   * Namespace of the HelmChart, whose own secrets need no grant. Absent: whoever asks was granted this very Secret by name, and the parent
   * decided that.
   */
  readonly chartNamespace?: string;
}

/** The Secret that a chart is pulled with; undefined: none. */
export function pullSecretOf(
  { chartPullSecret }: PullSecretUser,
  chartNamespace = "",
): { readonly namespace: string; readonly name: string } | undefined {
  const { name = "", namespace = "" } = chartPullSecret ?? {};
  return name === "" ? undefined : { namespace: namespace === "" ? chartNamespace : namespace, name };
}

export async function readAccess(
  spec: PullSecretUser,
  { parent, chartNamespace }: SecretReader,
  signal: AbortSignal,
): Promise<Access> {
  const plainHttp = spec.plainHTTP === true;
  const key = pullSecretOf(spec, chartNamespace);
  if (key === undefined) return { plainHttp };
  const what = `chartPullSecret ${key.namespace}/${key.name}`;
  const secret = await readSecret(key, { parent, what }, signal);
  if (chartNamespace !== undefined && !mayUse(secret, chartNamespace)) {
    const grant = `annotation ${annotations.allowChartsFrom} of the Secret does not name ${chartNamespace}`;
    throw new ChartError("PullSecretRefused", `${what} is in another namespace than the HelmChart, and ${grant}`);
  }
  const text = (name: string): string | undefined => {
    const value = secret.data?.[name];
    return value === undefined ? undefined : Buffer.from(value, "base64").toString("utf8");
  };
  const username = text(secretKeys.username);
  const password = text(secretKeys.password);
  const caPem = text(secretKeys.caCertificate);
  const tokenHost = text(secretKeys.tokenHost)?.trim();
  if ((username === undefined) !== (password === undefined)) {
    throw new ChartError("PullSecretRefused", `${what} has only one of username and password`);
  }
  if (username === undefined && caPem === undefined) {
    throw new ChartError("PullSecretRefused", `${what} has neither username and password nor ca.crt`);
  }
  return {
    plainHttp,
    ...(username === undefined || password === undefined ? {} : { username, password }),
    ...(caPem === undefined ? {} : { caPem }),
    ...(tokenHost === undefined ? {} : { tokenHost }),
  };
}

async function readSecret(
  key: { readonly namespace: string; readonly name: string },
  { parent, what }: { readonly parent: Client; readonly what: string },
  signal: AbortSignal,
): Promise<Secret> {
  try {
    const secret = await parent.get(Secret, key, signal);
    if (secret !== undefined) return secret;
  } catch (error) {
    if (!isForbidden(error)) throw error;
    const hint = "its namespace must be one of those whose pull secrets may be used";
    throw new ChartError("PullSecretRefused", `${what} may not be read: ${hint}`);
  }
  throw new ChartError("PullSecretRefused", `${what} does not exist`);
}

function mayUse({ metadata }: Secret, chartNamespace: string): boolean {
  if (metadata.namespace === chartNamespace) return true;
  const granted = (metadata.annotations?.[annotations.allowChartsFrom] ?? "").split(",").map((part) => part.trim());
  return granted.includes("*") || granted.includes(chartNamespace);
}
