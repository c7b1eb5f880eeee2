// One API server: its address, its TLS, its credentials and its ONE connection pool.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Pool, ProxyAgent, type Dispatcher } from "undici";
import { realClock, type Clock } from "#std/clock.ts";
import {
  cachedSource,
  type ClientCertificate,
  type Credentials,
  type CredentialSource,
  type ServerAddress,
} from "./credentials.ts";
import { readKubeconfig } from "./kubeconfig.ts";

export interface Connection extends AsyncDisposable {
  /** `https://host:port`, with a path prefix when the server has one; no slash at the end. */
  readonly server: string;
  /** Read it for every request, after `authorization`: it is replaced when a client certificate or an authority is rotated. */
  readonly dispatcher: Dispatcher;
  /** The authority that signs the server's certificate; absent when the system's are used. */
  readonly caPem?: string | undefined;
  /** Headers that prove who we are; empty with a client certificate. */
  authorization(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** The server answered 401: whatever is cached is read again the next time. */
  forgetCredentials(): void;
}

export interface ConnectOptions extends ServerAddress {
  readonly caPem?: string;
  /** A function is asked for every request: it should cache. */
  readonly token?: string | ((signal: AbortSignal) => Promise<string>);
  readonly clientCertificate?: ClientCertificate;
}

export interface KubeconfigOptions {
  /** Default: the text. One of the two must be there. */
  readonly path?: string;
  readonly text?: string;
  /** Default: the current context. */
  readonly context?: string;
  readonly clock?: Clock;
}

/** A watch holds a connection for minutes, so this bounds watches and other requests together. */
const CONNECTIONS_MAX = 1024;
/** kube-apiserver closes connections that were idle for 90 s; we must be first. */
const KEEP_ALIVE_MS = 60_000;
const CONNECT_MS_MAX = 10_000;
const SERVICE_ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";

export function connect({ caPem, token, clientCertificate, ...address }: ConnectOptions): Connection {
  const tls = { caPem, clientCertificate };
  const headers = (value: string): Record<string, string> => ({ authorization: `Bearer ${value}` });
  const source: CredentialSource = {
    read: async (signal) => ({
      ...tls,
      headers: token === undefined ? {} : headers(typeof token === "string" ? token : await token(signal)),
    }),
    forget: () => undefined,
  };
  return connectWith(address, { source, credentials: { ...tls, headers: {} } });
}

export async function connectKubeconfig({ path, text, context, clock = realClock }: KubeconfigOptions): Promise<Connection> {
  const { address, source } = await readKubeconfig({ path, text, context, clock });
  const credentials = await source.read(new AbortController().signal);
  return connectWith(address, { source, credentials });
}

/** `env`: KUBERNETES_SERVICE_HOST and _PORT; CLUSTERNET_SERVICE_ACCOUNT_DIR in place of /var/run/secrets/kubernetes.io/serviceaccount. */
export async function connectInCluster(
  env: Readonly<Record<string, string | undefined>>,
  { clock = realClock }: { readonly clock?: Clock } = {},
): Promise<Connection> {
  const { KUBERNETES_SERVICE_HOST: host = "", KUBERNETES_SERVICE_PORT: port = "443" } = env;
  if (host === "") throw new Error("Not in a cluster: KUBERNETES_SERVICE_HOST is not set; give --kubeconfig");
  const directory = env["CLUSTERNET_SERVICE_ACCOUNT_DIR"] ?? SERVICE_ACCOUNT_DIRECTORY;
  const source = cachedSource(clock, async () => {
    const [token, caPem] = await Promise.all([
      readFile(join(directory, "token"), "utf8"),
      readFile(join(directory, "ca.crt"), "utf8"),
    ]);
    return { headers: { authorization: `Bearer ${token.trim()}` }, caPem };
  });
  const credentials = await source.read(new AbortController().signal);
  return connectWith({ server: `https://${host.includes(":") ? `[${host}]` : host}:${port}` }, { source, credentials });
}

/** `credentials`: what the source said a moment ago; it is asked again for every request. */
export function connectWith(
  address: ServerAddress,
  { source, credentials }: { readonly source: CredentialSource; readonly credentials: Credentials },
): Connection {
  const url = serverUrl(address.server);
  let current = credentials;
  let dispatcher = createDispatcher(url, { address, credentials });
  const retired = new Set<Dispatcher>();
  return {
    server: `${url.origin}${url.pathname === "/" ? "" : url.pathname}`,
    get dispatcher() {
      return dispatcher;
    },
    get caPem() {
      return current.caPem;
    },
    authorization: async (signal) => {
      const next = await source.read(signal);
      if (!hasSameTls(next, current)) {
        // Requests that run finish on the old connections; nothing new is put on them.
        const old = dispatcher;
        retired.add(old);
        void old.close().finally(() => retired.delete(old));
        dispatcher = createDispatcher(url, { address, credentials: next });
      }
      current = next;
      return next.headers;
    },
    forgetCredentials: () => {
      source.forget();
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([dispatcher, ...retired].map((each) => each.destroy()));
    },
  };
}

function hasSameTls(a: Credentials, b: Credentials): boolean {
  return (
    a.caPem === b.caPem &&
    a.clientCertificate?.certificatePem === b.clientCertificate?.certificatePem &&
    a.clientCertificate?.privateKeyPem === b.clientCertificate?.privateKeyPem
  );
}

function serverUrl(server: string): URL {
  const url = new URL(server);
  url.pathname = url.pathname.replace(/\/+$/, "");
  const isLoopback = url.hostname === "localhost" || url.hostname === "[::1]" || url.hostname.startsWith("127.");
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback)) {
    throw new Error(`Server ${server} is refused: credentials travel over https only (http is for loopback addresses)`);
  }
  return url;
}

function createDispatcher(
  url: URL,
  { address, credentials }: { readonly address: ServerAddress; readonly credentials: Credentials },
): Dispatcher {
  const { caPem, clientCertificate } = credentials;
  const tls = {
    ...(caPem === undefined ? {} : { ca: caPem }),
    ...(clientCertificate === undefined ? {} : { cert: clientCertificate.certificatePem, key: clientCertificate.privateKeyPem }),
    ...(address.serverName === undefined ? {} : { servername: address.serverName }),
    // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED cannot turn it off.
    rejectUnauthorized: true,
  };
  const options = {
    connections: CONNECTIONS_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    // Watches are silent for long; every other request has a time limit of its own.
    headersTimeout: 0,
    bodyTimeout: 0,
    // Over HTTP/2 (undici's default) an aborted request leaves a stream behind whose 'error' nobody hears when the pool is destroyed.
    allowH2: false,
  };
  if (address.proxyUrl !== undefined) return new ProxyAgent({ ...options, uri: address.proxyUrl, requestTls: tls });
  return new Pool(url.origin, { ...options, connect: { ...tls, timeout: CONNECT_MS_MAX } });
}
