// Load from a native program: tools/toolchain/loadgen, built once per user and version of its source.

import { createHash } from "node:crypto";
import { access, mkdir, readFile, rename } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";

export interface Load {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface LoadResult {
  readonly requests: number;
  readonly failed: number;
  readonly failure: string;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const source = join(import.meta.dirname, "..", "..", "tools", "toolchain", "loadgen");

export async function generateLoad({ url, connections, seconds, caFile, certFile, keyFile }: Load): Promise<LoadResult> {
  const { stdout } = await execa(await loadGenerator(), [
    `-url=${url}`,
    `-connections=${String(connections)}`,
    `-duration=${String(seconds)}s`,
    `-ca=${caFile}`,
    `-cert=${certFile}`,
    `-key=${keyFile}`,
  ]);
  const result = JSON.parse(stdout) as LoadResult;
  if (result.failed > 0)
    throw new Error(`${String(result.failed)} of ${String(result.requests)} requests failed: ${result.failure}`);
  return result;
}

async function loadGenerator(): Promise<string> {
  const text = (await readFile(join(source, "main.go"), "utf8")) + (await readFile(join(source, "go.mod"), "utf8"));
  const version = createHash("sha256").update(text).digest("hex").slice(0, 12);
  const directory = join(
    process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
    "pulumi-clusternet",
    "tools",
    `loadgen-${version}`,
  );
  const path = join(directory, "loadgen");
  try {
    await access(path);
    return path;
  } catch {
    await mkdir(directory, { recursive: true });
    // Another process may build it too; the last rename wins, and both results are the same.
    const building = `${path}.${String(process.pid)}`;
    await execa("go", ["build", "-trimpath", "-o", building, "."], {
      cwd: source,
      env: { CGO_ENABLED: "0", GOTOOLCHAIN: "local" },
    });
    await rename(building, path);
    return path;
  }
}
