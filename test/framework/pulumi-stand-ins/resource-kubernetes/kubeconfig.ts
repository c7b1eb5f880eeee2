// What the provider takes from a kubeconfig: where the server is, its TLS, and the headers that say who we are.
//
// @kubernetes/client-node knows all of kubeconfigs, but its code takes most of a second to load and an engine starts this provider anew for
// every run: the kubeconfig that tests write, with everything in it, is read without.

import { readFile, stat } from "node:fs/promises";
import type { RequestOptions } from "node:https";
import { homedir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import * as z from "zod";
import type { KubeConfig } from "@kubernetes/client-node";
import { isObject } from "./property-values.ts";

export interface ClusterOptions {
  /** Text of a kubeconfig, a path, or undefined for $KUBECONFIG and ~/.kube/config. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly cluster: string | undefined;
}

export interface Access {
  /** undefined: the kubeconfig names no cluster. */
  readonly server: string | undefined;
  readonly tls: Pick<RequestOptions, "ca" | "cert" | "key" | "servername" | "rejectUnauthorized">;
  /** Of the kubeconfig's context; "default" when it has none. */
  readonly defaultNamespace: string;
  readonly authorization: () => Promise<Readonly<Record<string, string>>>;
}

export async function readAccess(options: ClusterOptions): Promise<Access> {
  const { kubeconfig } = options;
  const text = kubeconfig === undefined || kubeconfig === "" ? undefined : await kubeconfigText(kubeconfig);
  return (text === undefined ? undefined : selfContained(text, options)) ?? anyAccess(text, options);
}

/** Strict: a field more, and it is left to the code that knows it. */
const SelfContained = z.object({
  "current-context": z.string(),
  contexts: z.array(
    z.object({
      name: z.string(),
      context: z.strictObject({ cluster: z.string(), user: z.string(), namespace: z.string().optional() }),
    }),
  ),
  clusters: z.array(
    z.object({ name: z.string(), cluster: z.strictObject({ server: z.string(), "certificate-authority-data": z.base64() }) }),
  ),
  users: z.array(
    z.object({
      name: z.string(),
      user: z.strictObject({ "client-certificate-data": z.base64(), "client-key-data": z.base64() }),
    }),
  ),
});

/** undefined: it asks for more than certificates that are in it. */
function selfContained(text: string, options: ClusterOptions): Access | undefined {
  const parsed = SelfContained.safeParse(yamlOf(text));
  if (!parsed.success) return undefined;
  const { "current-context": current, contexts, clusters, users } = parsed.data;
  const context = contexts.find(({ name }) => name === (options.context || current))?.context;
  const cluster = clusters.find(({ name }) => name === (options.cluster || context?.cluster))?.cluster;
  const user = users.find(({ name }) => name === context?.user)?.user;
  if (context === undefined || cluster === undefined || user === undefined) return undefined;
  const pem = (data: string): string => Buffer.from(data, "base64").toString("utf8");
  return {
    server: cluster.server,
    tls: {
      ca: pem(cluster["certificate-authority-data"]),
      cert: pem(user["client-certificate-data"]),
      key: pem(user["client-key-data"]),
      rejectUnauthorized: true,
    },
    defaultNamespace: context.namespace ?? "default",
    authorization: () => Promise.resolve({}),
  };
}

function yamlOf(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

export function loadKubeconfigCode(): Promise<{ readonly KubeConfig: typeof KubeConfig }> {
  return import("@kubernetes/client-node");
}

async function anyAccess(text: string | undefined, { context, cluster }: ClusterOptions): Promise<Access> {
  const { KubeConfig } = await loadKubeconfigCode();
  const config = new KubeConfig();
  if (text === undefined) config.loadFromDefault();
  else config.loadFromString(text);
  if (context !== undefined && context !== "") config.setCurrentContext(context);
  if (cluster !== undefined && cluster !== "") {
    const current = config.getCurrentContext();
    config.contexts = config.contexts.map((entry) => (entry.name === current ? { ...entry, cluster } : entry));
  }
  const { ca, cert, key, servername, rejectUnauthorized } = await requestOptionsOf(config);
  return {
    server: config.getCurrentCluster()?.server,
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(servername === undefined ? {} : { servername }),
      rejectUnauthorized: rejectUnauthorized !== false,
    },
    defaultNamespace: config.getContextObject(config.getCurrentContext())?.namespace ?? "default",
    // A program that hands out tokens is asked again when one has expired.
    authorization: async () => authorizationOf(await requestOptionsOf(config)),
  };
}

async function requestOptionsOf(config: KubeConfig): Promise<RequestOptions> {
  const options: RequestOptions = {};
  if (config.getCurrentCluster() !== null) await config.applyToHTTPSOptions(options);
  return options;
}

function authorizationOf({ headers, auth }: RequestOptions): Record<string, string> {
  if (typeof auth === "string") return { authorization: `Basic ${Buffer.from(auth).toString("base64")}` };
  const value: unknown = isObject(headers) ? headers["Authorization"] : undefined;
  return typeof value === "string" ? { authorization: value } : {};
}

/** A value that is the path of a file means the file. */
export async function kubeconfigText(value: string): Promise<string> {
  const path = value.startsWith("~/") ? join(homedir(), value.slice(2)) : value;
  const isFile = path.length < 4096 && !path.includes("\n") && (await stat(path).catch(() => undefined))?.isFile() === true;
  return isFile ? readFile(path, "utf8") : value;
}
