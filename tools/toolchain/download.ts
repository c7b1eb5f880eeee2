// Downloads one file so that an interrupted download goes on where it stopped, and accepts it only with the right checksum.

import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { EnvHttpProxyAgent, request } from "undici";
import { errorChain } from "#std/errors.ts";

export interface DownloadOptions {
  readonly url: string;
  readonly checksumUrl: string;
  readonly algorithm: "sha256" | "sha512";
  /** The bytes so far are kept here when the connection breaks. */
  readonly path: string;
  /** Bytes so far, and of how many when the server says so. */
  readonly progress?: (bytes: number, total: number | undefined) => void;
}

/** Nothing can be had from there: refused, unreachable or not found. The caller goes on to the next way at once. */
export class DownloadError extends Error {
  override readonly name = "DownloadError";
}

/** A connection that breaks after it brought something is worth another try; one that brings nothing is not. */
const RESUMES_MAX = 5;
const CONNECT_LIMIT_MS = 5_000;
const SILENCE_LIMIT_MS = 30_000;

export async function download(options: DownloadOptions, signal: AbortSignal): Promise<void> {
  const dispatcher = new EnvHttpProxyAgent({ connect: { timeout: CONNECT_LIMIT_MS }, bodyTimeout: SILENCE_LIMIT_MS });
  try {
    const wanted = await readChecksum(options, { dispatcher, signal });
    await fetchAll(options, { dispatcher, signal });
    const actual = await digestOf(options.path, options.algorithm);
    if (actual !== wanted) {
      await rm(options.path, { force: true });
      throw new DownloadError(`${options.url} has the wrong ${options.algorithm} ${actual}, expected ${wanted}`);
    }
  } finally {
    await dispatcher.destroy();
  }
}

/** The digest for the file name, from a file with the digest alone or from lines of `<digest>  <name>`. */
export function checksumFor(fileName: string, text: string): string | undefined {
  const lines = text
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+\*?/));
  const own =
    lines.find(([, name]) => name === fileName) ?? (lines.length === 1 && lines[0]?.length === 1 ? lines[0] : undefined);
  const digest = own?.[0]?.toLowerCase();
  return digest !== undefined && /^[0-9a-f]{64,128}$/.test(digest) ? digest : undefined;
}

interface Transport {
  readonly dispatcher: EnvHttpProxyAgent;
  readonly signal: AbortSignal;
}

const REDIRECTS_MAX = 5;

async function get(url: string, { dispatcher, signal }: Transport, headers: Record<string, string> = {}) {
  let location = url;
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects += 1) {
    try {
      const response = await request(location, { dispatcher, signal, headers });
      const next = response.headers["location"];
      if (response.statusCode < 300 || response.statusCode >= 400 || typeof next !== "string") return response;
      await response.body.dump();
      location = new URL(next, location).href;
    } catch (error) {
      if (signal.aborted) throw error;
      throw new DownloadError(`Cannot reach ${new URL(location).host} (${errorChain(error)})`, { cause: error });
    }
  }
  throw new DownloadError(`${url} redirects more than ${String(REDIRECTS_MAX)} times`);
}

async function readChecksum({ url, checksumUrl }: DownloadOptions, transport: Transport): Promise<string> {
  const { statusCode, body } = await get(checksumUrl, transport);
  const text = await body.text();
  if (statusCode !== 200) throw new DownloadError(`${checksumUrl} answers ${String(statusCode)}`);
  const digest = checksumFor(decodeURIComponent(new URL(url).pathname.split("/").at(-1) ?? ""), text);
  if (digest === undefined) throw new DownloadError(`${checksumUrl} holds no checksum for ${url}`);
  return digest;
}

async function fetchAll(options: DownloadOptions, transport: Transport): Promise<void> {
  for (let resumes = 0; ; resumes += 1) {
    const before = await sizeOf(options.path);
    try {
      await fetchRest(options, { ...transport, from: before });
      return;
    } catch (error) {
      if (transport.signal.aborted || error instanceof DownloadError) throw error;
      const broughtNothing = (await sizeOf(options.path)) <= before;
      if (broughtNothing || resumes >= RESUMES_MAX) {
        throw new DownloadError(`The download of ${options.url} broke (${errorChain(error)})`, { cause: error });
      }
    }
  }
}

async function fetchRest(
  { url, path, progress }: DownloadOptions,
  { from, ...transport }: Transport & { readonly from: number },
): Promise<void> {
  const { statusCode, body, headers } = await get(url, transport, from > 0 ? { range: `bytes=${String(from)}-` } : {});
  // 416: there is nothing after what we have; the checksum decides whether that is all.
  if (statusCode === 416) {
    await body.dump();
    return;
  }
  if (statusCode !== 200 && statusCode !== 206) {
    await body.dump();
    throw new DownloadError(`${url} answers ${String(statusCode)}`);
  }
  // A server that does not know ranges sends everything again.
  const start = statusCode === 206 ? from : 0;
  const length = Number(headers["content-length"]);
  const total = Number.isFinite(length) ? start + length : undefined;
  let bytes = start;
  const counted = async function* (source: Readable): AsyncGenerator<Buffer> {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      bytes += chunk.byteLength;
      progress?.(bytes, total);
      yield chunk;
    }
  };
  await pipeline(body, counted, createWriteStream(path, { flags: start > 0 ? "a" : "w" }), { signal: transport.signal });
}

async function digestOf(path: string, algorithm: string): Promise<string> {
  const hash = createHash(algorithm);
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.size ?? 0;
}
