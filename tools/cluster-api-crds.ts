// Cluster API's own definition of its Cluster kind: from the user's cache, else from the Go module that publishes it, else downloaded.

import { access, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { errorChain } from "#std/errors.ts";

const VERSION = "1.13.0";
const MODULE = `sigs.k8s.io/cluster-api@v${VERSION}`;
const FOLDER = "config/crd/bases";
const FILE = "cluster.x-k8s.io_clusters.yaml";
const URL_OF_FILE = `https://raw.githubusercontent.com/kubernetes-sigs/cluster-api/v${VERSION}/${FOLDER}/${FILE}`;
const DOWNLOAD_MS_MAX = 60_000;

export interface ClusterApiCrdSources {
  readonly cacheDirectory?: string;
  readonly fromGoModule?: () => Promise<string>;
  readonly fromDownload?: () => Promise<string>;
}

/** The path of a YAML file that `kubectl apply` takes. */
export async function clusterApiCrd(sources: ClusterApiCrdSources = {}): Promise<string> {
  const {
    cacheDirectory = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "pulumi-clusternet"),
    fromGoModule = readGoModule,
    fromDownload = download,
  } = sources;
  const folder = join(cacheDirectory, `cluster-api-${VERSION}`);
  const path = join(folder, FILE);
  if (await exists(path)) return path;
  const text = await firstThatWorks([fromGoModule, fromDownload]);
  await mkdir(folder, { recursive: true });
  const partial = `${path}.${String(process.pid)}`;
  await writeFile(partial, text);
  await rename(partial, path);
  return path;
}

async function firstThatWorks(sources: readonly (() => Promise<string>)[]): Promise<string> {
  const problems: string[] = [];
  for (const source of sources) {
    try {
      const text = await source();
      if (text.includes("name: clusters.cluster.x-k8s.io")) return text;
      problems.push("What came is not the definition of Clusters");
    } catch (error) {
      problems.push(errorChain(error));
    }
  }
  throw new Error(
    `Cluster API's definitions can be had neither from its Go module nor by download. Install Go, or allow ${URL_OF_FILE}.\n` +
      problems.map((problem) => `  ${problem}`).join("\n"),
  );
}

async function readGoModule(): Promise<string> {
  const { stdout } = await execa("go", ["mod", "download", "-json", MODULE], { env: { GOFLAGS: "-mod=mod" } });
  const { Dir } = JSON.parse(stdout) as { Dir: string };
  return readFile(join(Dir, FOLDER, FILE), "utf8");
}

async function download(): Promise<string> {
  const response = await fetch(URL_OF_FILE, { signal: AbortSignal.timeout(DOWNLOAD_MS_MAX) });
  if (!response.ok) throw new Error(`${URL_OF_FILE} answers ${String(response.status)}`);
  return response.text();
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
