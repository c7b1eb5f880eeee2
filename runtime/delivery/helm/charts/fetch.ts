// One GET of a chart repository or registry: TLS is verified, redirects are followed, limits hold.
//
// (FET-1) A credential is sent to the scheme, host and port that it is for, and to no other: not after a redirect, not to a chart's own
//         address in an index.
// (FET-2) A credential never travels unencrypted, unless the HelmChart asks for plain HTTP or the server is this machine.
// (FET-3) A redirect leads from https to https only.
// (FET-4) What a server says is never repeated in an error: it may be anything, also what somebody else may not see.

import { request as requestHttp, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { rootCertificates } from "node:tls";
import { withTimeLimit } from "#std/abort.ts";
import { toError } from "#std/errors.ts";
import { packageVersion } from "#std/version.ts";
import { ChartError } from "./chart-error.ts";

/** How a repository is reached. */
export interface Access {
  readonly username?: string;
  readonly password?: string;
  /** An authority that signs the server's certificate, beside the well-known ones. */
  readonly caPem?: string;
  /** A further host (`auth.example.com`) that the credential may be sent to: where a registry hands out its tokens. */
  readonly tokenHost?: string;
  /** The HelmChart asks for plain HTTP. */
  readonly plainHttp: boolean;
}

export interface Fetch {
  readonly url: URL;
  readonly access: Access;
  readonly headers?: Readonly<Record<string, string>>;
  /** For this URL's origin only (FET-1). */
  readonly authorization?: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  /** Where it came from in the end. */
  readonly url: URL;
  readonly body: IncomingMessage;
}

const REDIRECTS_MAX = 5;
/** To the answer's headers. */
const HEADERS_MS_MAX = 15_000;

export async function fetchUrl({ url, access, headers = {}, authorization }: Fetch, signal: AbortSignal): Promise<Answer> {
  if (authorization !== undefined) mayCarryCredential(url, access);
  let current = url;
  for (let redirects = 0; ; redirects += 1) {
    const own = authorization !== undefined && current.origin === url.origin ? { authorization } : {};
    const answer = await send({ url: current, access, headers: { ...headers, ...own } }, signal);
    const { location } = answer.headers;
    if (location === undefined || ![301, 302, 303, 307, 308].includes(answer.status)) return answer;
    answer.body.resume();
    const next = parseUrl(location, current);
    if (redirects >= REDIRECTS_MAX) throw new ChartError("RepositoryInvalid", `${url.host} redirects in a circle`);
    if (current.protocol === "https:" && next.protocol !== "https:") {
      throw new ChartError("RepositoryInvalid", `${current.host} redirects from https to ${next.protocol.slice(0, -1)}`);
    }
    current = next;
  }
}

export function basicAuthorization({ username, password }: Access): string | undefined {
  if (username === undefined || password === undefined) return undefined;
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}

/** The whole body, within a limit. */
export async function readBody({ body, url }: Pick<Answer, "body" | "url">, bytesMax: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw new ChartError("ChartTooLarge", `${what} is larger than ${String(bytesMax)} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    body.destroy();
    throw error instanceof ChartError ? error : unreachable(url, error);
  }
  return Buffer.concat(chunks);
}

/** undefined: the answer is fine. */
export function refusalOf({ status, url, body }: Answer, what: string): ChartError | undefined {
  if (status >= 200 && status < 300) return undefined;
  body.resume();
  if (status === 401 || status === 403) {
    return new ChartError("CredentialsRefused", `${url.host} does not let us read ${what} (HTTP ${String(status)})`);
  }
  if (status === 404) return new ChartError("ChartMissing", `${url.host} has no ${what} (HTTP 404)`);
  if (status < 500 && status !== 408 && status !== 429) {
    return new ChartError("RepositoryInvalid", `${url.host} refuses to give ${what} (HTTP ${String(status)})`);
  }
  return new ChartError("RepositoryUnreachable", `${url.host} cannot give ${what} now (HTTP ${String(status)})`);
}

export function parseUrl(text: string, base?: URL): URL {
  try {
    const url = new URL(text, base);
    if (url.protocol !== "http:" && url.protocol !== "https:") throw new Error(`${url.protocol} is not http or https`);
    if (url.username !== "" || url.password !== "") throw new Error("it holds a credential; use chartPullSecret");
    return url;
  } catch (error) {
    const reason = error instanceof TypeError ? "it is not a URL" : toError(error).message;
    throw new ChartError("RepositoryInvalid", `The repository's address is wrong: ${reason}`);
  }
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
}

function mayCarryCredential(url: URL, { plainHttp }: Access): void {
  if (url.protocol === "https:" || plainHttp || isLoopback(url)) return;
  throw new ChartError(
    "PullSecretRefused",
    `A password is not sent to ${url.host} over plain HTTP, unless plainHTTP asks for it`,
  );
}

async function send(
  { url, access, headers }: { readonly url: URL; readonly access: Access; readonly headers: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<Answer> {
  const options = {
    headers: { "user-agent": `clusternet/${packageVersion}`, ...headers },
    // One answer, one connection: nothing is shared between tenants.
    agent: false as const,
    signal,
  };
  const tls = { rejectUnauthorized: true, ...(access.caPem === undefined ? {} : { ca: [...rootCertificates, access.caPem] }) };
  try {
    const body = await withTimeLimit(
      { limitMs: HEADERS_MS_MAX, what: `The answer of ${url.host}` },
      () =>
        new Promise<IncomingMessage>((resolve, reject) => {
          const sent = url.protocol === "https:" ? requestHttps(url, { ...options, ...tls }) : requestHttp(url, options);
          sent.once("response", resolve);
          sent.on("error", reject);
          sent.setTimeout(HEADERS_MS_MAX, () => sent.destroy(new Error("no answer")));
          sent.end();
        }),
      signal,
    );
    return { status: body.statusCode ?? 0, headers: body.headers, url, body };
  } catch (error) {
    if (signal.aborted) throw error;
    throw unreachable(url, error);
  }
}

const CERTIFICATE_CODES =
  /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_)/;

const CODE_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "it ended the connection",
  EAI_AGAIN: "its name cannot be looked up now",
  EHOSTUNREACH: "there is no way to it",
  ENOTFOUND: "there is no such host",
  ETIMEDOUT: "it does not answer",
};

function unreachable(url: URL, thrown: unknown): ChartError {
  const error = toError(thrown);
  const code = codeOf(thrown);
  if (CERTIFICATE_CODES.test(code)) {
    return new ChartError("CertificateNotTrusted", `The certificate of ${url.host} is not trusted (${code})`, { cause: error });
  }
  if (code === "EPROTO" || code.startsWith("ERR_SSL_")) {
    const message = `${url.host} does not speak TLS; an OCI registry without it needs plainHTTP`;
    return new ChartError("RepositoryUnreachable", message, { cause: error });
  }
  const words = CODE_WORDS[code];
  const why = words === undefined ? (code === "" ? error.message : code) : `${words} (${code})`;
  return new ChartError("RepositoryUnreachable", `${url.host} cannot be reached: ${why}`, { cause: error });
}

function codeOf(thrown: unknown): string {
  return typeof thrown === "object" && thrown !== null && "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
}
