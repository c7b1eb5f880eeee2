// Charts on disk, by the digest of their content, so that a thousand clusters cost one download.
//
// (STO-1) A chart is served only to who brings what it was pulled with: repository, chart, version and credential are the key.
// (STO-2) All files together stay within a bound; the one that was used longest ago goes first, and none that is in use.
// (STO-3) An exact version is taken from disk while it is fresh; anything else is looked up every time, because it is a question.

import { createHash, randomBytes } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson } from "#std/canonical-json.ts";
import type { Clock } from "#std/clock.ts";
import type { ChartSource, FoundChart } from "./chart.ts";
import type { Access } from "./fetch.ts";
import { isExactVersion } from "./version.ts";

/** Several hundred charts of usual size. */
const STORE_BYTES_MAX = 256 * 1024 * 1024;
/** A version that was published again is noticed after this time. */
const FRESH_MS = 600_000;
const KNOWN_MAX = 10_000;

export interface StoredChart extends Disposable {
  /** A file that stays until this is disposed. */
  readonly path: string;
  readonly version: string;
  /** SHA-256 of the file, hexadecimal. */
  readonly digest: string;
}

export interface ChartStore {
  get(source: ChartSource, access: Access, signal: AbortSignal): Promise<StoredChart>;
}

export interface ChartStoreOptions {
  /** Ours alone. */
  readonly directory: string;
  readonly find: (source: ChartSource, access: Access, signal: AbortSignal) => Promise<FoundChart>;
  readonly clock: Clock;
  readonly bytesMax?: number;
}

interface Known {
  readonly digest: string;
  readonly version: string;
  readonly atMs: number;
}

interface File {
  readonly bytes: number;
  uses: number;
}

export function createChartStore({ directory, find, clock, bytesMax = STORE_BYTES_MAX }: ChartStoreOptions): ChartStore {
  const known = new Map<string, Known>();
  /** By digest; the one that was used last is the last one. */
  const files = new Map<string, File>();
  let total = 0;

  const freshOf = (key: string): Known | undefined => {
    const entry = known.get(key);
    return entry !== undefined && files.has(entry.digest) && clock.monotonic() - entry.atMs < FRESH_MS ? entry : undefined;
  };

  const use = ({ digest, version }: Pick<Known, "digest" | "version">): StoredChart => {
    const file = files.get(digest);
    if (file === undefined) throw new Error(`Bug: chart ${digest} is not in the store`);
    files.delete(digest);
    files.set(digest, file);
    file.uses += 1;
    let isOpen = true;
    return {
      path: join(directory, `${digest}.tgz`),
      version,
      digest,
      [Symbol.dispose]: () => {
        if (isOpen) file.uses -= 1;
        isOpen = false;
      },
    };
  };

  const add = async (bytes: Buffer): Promise<string> => {
    const digest = createHash("sha256").update(bytes).digest("hex");
    if (files.has(digest)) return digest;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const partial = join(directory, `${digest}.${randomBytes(4).toString("hex")}`);
    await writeFile(partial, bytes, { mode: 0o600 });
    await rename(partial, join(directory, `${digest}.tgz`));
    if (!files.has(digest)) {
      files.set(digest, { bytes: bytes.length, uses: 0 });
      total += bytes.length;
    }
    return digest;
  };

  const evict = async (): Promise<void> => {
    for (const [digest, { bytes, uses }] of files) {
      if (total <= bytesMax) break;
      if (uses > 0) continue;
      files.delete(digest);
      total -= bytes;
      await rm(join(directory, `${digest}.tgz`), { force: true });
    }
    for (const key of known.keys()) {
      if (known.size <= KNOWN_MAX) break;
      known.delete(key);
    }
  };

  return {
    get: async (source, access, signal) => {
      const asked = keyOf(source, access);
      const fresh = isExactVersion(source.version) ? freshOf(asked) : undefined;
      if (fresh !== undefined) return use(fresh);
      const found = await find(source, access, signal);
      const exact = keyOf({ ...source, version: found.version }, access);
      const there = freshOf(exact);
      if (there !== undefined) return use(there);
      const digest = await add(await found.download(signal));
      const entry = { digest, version: found.version, atMs: clock.monotonic() };
      for (const key of [asked, exact]) known.set(key, entry);
      const stored = use(entry);
      await evict();
      return stored;
    },
  };
}

/** A hash, because the credential itself is not kept; a whole one, because it decides who gets what. */
function keyOf({ repo, chart, version }: ChartSource, access: Access): string {
  return createHash("sha256")
    .update(canonicalJson([repo, chart, version ?? "", access]))
    .digest("hex");
}
