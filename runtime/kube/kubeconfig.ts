// A kubeconfig -> where the server is and who we are there. Plugins (exec, OIDC) are left to kubeconfig-plugins.ts.

import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import * as z from "zod";
import type { Clock } from "#std/clock.ts";
import { errorChain } from "#std/errors.ts";
import { cachedSource, type CredentialSource, type Credentials, type ServerAddress } from "./credentials.ts";

const Cluster = z.object({
  server: z.url({ protocol: /^https?$/ }),
  "certificate-authority": z.string().optional(),
  "certificate-authority-data": z.string().optional(),
  "insecure-skip-tls-verify": z.boolean().optional(),
  "tls-server-name": z.string().optional(),
  "proxy-url": z.string().optional(),
});
type Cluster = z.infer<typeof Cluster>;

const User = z.object({
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  "client-certificate": z.string().optional(),
  "client-certificate-data": z.string().optional(),
  "client-key": z.string().optional(),
  "client-key-data": z.string().optional(),
  exec: z.unknown().optional(),
  "auth-provider": z.unknown().optional(),
});
type User = z.infer<typeof User>;

const Kubeconfig = z.object({
  "current-context": z.string().optional(),
  clusters: z.array(z.object({ name: z.string(), cluster: Cluster })).nullish(),
  users: z.array(z.object({ name: z.string(), user: User.nullish() })).nullish(),
  contexts: z
    .array(z.object({ name: z.string(), context: z.object({ cluster: z.string(), user: z.string().optional() }) }))
    .nullish(),
});

export interface KubeconfigSource {
  readonly path?: string | undefined;
  readonly text?: string | undefined;
  readonly context?: string | undefined;
  readonly clock: Clock;
}

export async function readKubeconfig({
  path,
  text,
  context,
  clock,
}: KubeconfigSource): Promise<{ address: ServerAddress; source: CredentialSource }> {
  const where = path === undefined ? "The kubeconfig" : `Kubeconfig ${path}`;
  const content = text ?? (await readFile(path ?? "", "utf8"));
  const { cluster, user, contextName } = choose(where, { content, context });
  if (cluster["insecure-skip-tls-verify"] === true) {
    throw new Error(
      `${where} says insecure-skip-tls-verify: the server's certificate is always verified; give its authority instead`,
    );
  }
  const address = {
    server: cluster.server,
    serverName: cluster["tls-server-name"],
    proxyUrl: cluster["proxy-url"],
  };
  const directory = path === undefined ? process.cwd() : dirname(resolve(path));
  return { address, source: await sourceOf(user, { cluster, directory, content, contextName, clock }) };
}

function choose(
  where: string,
  { content, context }: { readonly content: string; readonly context: string | undefined },
): { cluster: Cluster; user: User; contextName: string } {
  const parsed = Kubeconfig.safeParse(parseYaml(where, content));
  if (!parsed.success) throw new Error(`${where} is not valid: ${z.prettifyError(parsed.error)}`);
  const { clusters, users, contexts, "current-context": currentContext } = parsed.data;
  const contextName = context ?? currentContext ?? "";
  const chosen = contexts?.find(({ name }) => name === contextName)?.context;
  if (chosen === undefined) throw new Error(`${where} has no context "${contextName}"`);
  const cluster = clusters?.find(({ name }) => name === chosen.cluster)?.cluster;
  if (cluster === undefined) throw new Error(`${where} has no cluster "${chosen.cluster}"`);
  const user = users?.find(({ name }) => name === chosen.user)?.user ?? {};
  return { cluster, user, contextName };
}

/** A kubeconfig holds secrets, so the text must not be part of the message: yaml's own would quote it. */
function parseYaml(where: string, content: string): unknown {
  try {
    return parse(content, { prettyErrors: false });
  } catch (error) {
    // eslint-disable-next-line preserve-caught-error -- the cause quotes the text
    throw new Error(`${where} is not YAML: ${errorChain(error).split("\n")[0] ?? ""}`);
  }
}

interface SourceOptions {
  readonly cluster: Cluster;
  readonly directory: string;
  readonly content: string;
  readonly contextName: string;
  readonly clock: Clock;
}

async function sourceOf(
  user: User,
  { cluster, directory, content, contextName, clock }: SourceOptions,
): Promise<CredentialSource> {
  const dataOrFile = async (data: string | undefined, file: string | undefined): Promise<string | undefined> => {
    if (data !== undefined && data !== "") return Buffer.from(data, "base64").toString("utf8");
    return file === undefined || file === "" ? undefined : readFile(resolve(directory, file), "utf8");
  };
  const readFiles = async (): Promise<Credentials> => {
    const caPem = await dataOrFile(cluster["certificate-authority-data"], cluster["certificate-authority"]);
    const certificatePem = await dataOrFile(user["client-certificate-data"], user["client-certificate"]);
    const privateKeyPem = await dataOrFile(user["client-key-data"], user["client-key"]);
    const clientCertificate =
      certificatePem === undefined || privateKeyPem === undefined ? undefined : { certificatePem, privateKeyPem };
    // As in kubectl, the file wins: it is the one that is renewed.
    const token = user.tokenFile === undefined ? user.token : (await readFile(resolve(directory, user.tokenFile), "utf8")).trim();
    return { headers: authorizationOf(user, token), caPem, clientCertificate };
  };
  if (user.exec === undefined && user["auth-provider"] === undefined) return cachedSource(clock, readFiles);
  // Loading the plugins' code takes half a second and tens of megabytes: only who needs it pays.
  const { pluginSource } = await import("./kubeconfig-plugins.ts");
  return pluginSource({ text: content, directory, context: contextName });
}

function authorizationOf({ username, password }: User, token: string | undefined): Record<string, string> {
  if (token !== undefined && token !== "") return { authorization: `Bearer ${token}` };
  if (username === undefined || username === "") return {};
  return { authorization: `Basic ${Buffer.from(`${username}:${password ?? ""}`).toString("base64")}` };
}
