// Finds, downloads or builds the real binaries that tests and the demo run: kube-apiserver, etcd, kubectl, pulumi, helm, kwok.
//
// In this order: an explicit directory (CLUSTERNET_TOOLS_DIR, KUBEBUILDER_ASSETS) → PATH, with the right version → the user's cache
// ($XDG_CACHE_HOME/pulumi-clusternet/tools, by platform and version) → the official release, with its checksum → a Go build from
// tools/toolchain/<module>/go.mod. What is refused once is not asked again; two processes never download or build the same thing.

import { access, chmod, constants, cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { lock } from "proper-lockfile";
import { abortReason } from "#std/abort.ts";
import { errorChain } from "#std/errors.ts";
import { download, DownloadError } from "#tools/toolchain/download.ts";
import { runCommand } from "#tools/toolchain/run.ts";
import { releaseSites, tools, type ToolName } from "#tools/toolchain/tools.ts";

export type { ToolName } from "#tools/toolchain/tools.ts";

/** Receives one line a step, for people: what is being downloaded or built, how long it took last time here. */
export type Progress = (line: string) => void;

export interface ToolchainOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly progress: Progress;
  /** Holds <module>/go.mod. */
  readonly modules?: string;
}

/** No way led to the tool; the message says what to install. */
export class ToolMissingError extends Error {
  override readonly name = "ToolMissingError";
}

export const toolNames: readonly ToolName[] = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubectl",
  "kwok",
  "helm",
  "pulumi",
];

const VERSION_LIMIT_MS = 10_000;
const LOCK_STALE_MS = 20_000;
const LOCK_RETRY_MS = 1_000;
/** Longer than all builds together. */
const LOCK_RETRIES_MAX = 3_600;
const PROGRESS_STEP_BYTES = 20_000_000;

const resolved = new Map<ToolName, Promise<string>>();
const never = new AbortController().signal;

/** The path of the tool's executable, at the pinned version. Looked up once a process. */
export function resolveTool(name: ToolName, progress: Progress = () => undefined, signal: AbortSignal = never): Promise<string> {
  const known = resolved.get(name);
  if (known !== undefined) return known;
  const finding = findTool(name, { env: process.env, progress }, signal);
  resolved.set(name, finding);
  // A failed look-up may succeed later: the user installs what the message named.
  finding.catch(() => resolved.delete(name));
  return finding;
}

/** One after the other: the builds share packages and would only fight for the processors. */
export async function resolveTools(
  names: readonly ToolName[],
  progress: Progress,
  signal: AbortSignal = never,
): Promise<ReadonlyMap<ToolName, string>> {
  const paths = new Map<ToolName, string>();
  for (const name of names) paths.set(name, await resolveTool(name, progress, signal));
  return paths;
}

/** The look-up itself, with everything it depends on as arguments. */
export async function findTool(name: ToolName, options: ToolchainOptions, signal: AbortSignal): Promise<string> {
  const there =
    (await inExplicitDirectory(name, options)) ?? (await onPath(name, options, signal)) ?? (await inCache(name, options));
  if (there !== undefined) return there;
  const root = cacheRoot(options.env);
  await mkdir(root, { recursive: true });
  const release = await lockCache(root, options.progress, signal);
  try {
    // Somebody else may have made it while we waited.
    return (await inCache(name, options)) ?? (await obtain(name, options, signal));
  } finally {
    await release();
  }
}

async function inExplicitDirectory(name: ToolName, { env }: ToolchainOptions): Promise<string | undefined> {
  for (const directory of [env["CLUSTERNET_TOOLS_DIR"], env["KUBEBUILDER_ASSETS"]]) {
    if (directory !== undefined && directory !== "" && (await isExecutable(join(directory, name)))) return join(directory, name);
  }
  return undefined;
}

async function onPath(name: ToolName, { env }: ToolchainOptions, signal: AbortSignal): Promise<string | undefined> {
  const { version, versionArguments } = tools[name];
  for (const directory of (env["PATH"] ?? "").split(delimiter)) {
    const path = join(directory, name);
    if (directory === "" || !(await isExecutable(path))) continue;
    const { code, output } = await runCommand([path, ...versionArguments], { env, limitMs: VERSION_LIMIT_MS }, signal);
    // "3.6.8" must not be found in "13.6.80".
    const hasVersion = new RegExp(`(^|[^0-9.])${version.replaceAll(".", "\\.")}($|[^0-9.])`, "m").test(output);
    if (code === 0 && hasVersion) return path;
  }
  return undefined;
}

async function inCache(name: ToolName, { env }: ToolchainOptions): Promise<string | undefined> {
  const path = join(cacheDirectory(name, env), name);
  return (await isExecutable(path)) ? path : undefined;
}

async function obtain(name: ToolName, options: ToolchainOptions, signal: AbortSignal): Promise<string> {
  const { version, build } = tools[name];
  const problems: string[] = [];
  for (const way of [fromRelease, fromSource]) {
    try {
      return await way(name, options, signal);
    } catch (error) {
      if (signal.aborted) throw abortReason(signal);
      problems.push(errorChain(error));
    }
  }
  throw new ToolMissingError(
    [
      `Cannot get ${name} ${version}:`,
      ...problems.map((problem) => `  - ${problem}`),
      `Install Go (tools/toolchain/${build.module}/go.mod names the version), or allow the download,`,
      `or put ${name} ${version} on PATH or into a directory named by CLUSTERNET_TOOLS_DIR`,
    ].join("\n"),
  );
}

async function fromRelease(name: ToolName, { env, progress }: ToolchainOptions, signal: AbortSignal): Promise<string> {
  const { version } = tools[name];
  const release = tools[name].release(releasePlatform());
  const site = releaseSites[release.site];
  const base = env[site.variable] ?? site.base;
  const target = cacheDirectory(name, env);
  const partial = `${target}.download`;
  await mkdir(partial, { recursive: true });
  const file = join(partial, basename(release.path));
  const startedAt = performance.now();
  let shown = 0;
  await download(
    {
      url: base + release.path,
      checksumUrl: base + release.checksumPath,
      algorithm: release.algorithm,
      path: file,
      progress: (bytes, total) => {
        if (shown !== 0 && bytes - shown < PROGRESS_STEP_BYTES) return;
        shown = bytes;
        progress(`Downloading ${name} ${version}: ${megabytes(bytes)}${total === undefined ? "" : ` of ${megabytes(total)}`} MB`);
      },
    },
    signal,
  );
  await rm(target, { recursive: true, force: true });
  if (release.archiveDirectory === undefined) await placeExecutable(file, { target, name });
  else await placeArchive(file, { partial, target, directory: release.archiveDirectory, env }, signal);
  await rm(partial, { recursive: true, force: true });
  progress(`Downloaded ${name} ${version} in ${seconds(performance.now() - startedAt)} s`);
  return join(target, name);
}

async function placeExecutable(
  file: string,
  { target, name }: { readonly target: string; readonly name: string },
): Promise<void> {
  await mkdir(target, { recursive: true });
  await chmod(file, 0o755);
  await rename(file, join(target, name));
}

async function placeArchive(
  file: string,
  options: {
    readonly partial: string;
    readonly target: string;
    readonly directory: string;
    readonly env: ToolchainOptions["env"];
  },
  signal: AbortSignal,
): Promise<void> {
  const { partial, target, directory, env } = options;
  const { code, output } = await runCommand(["tar", "-xzf", file, "-C", partial, directory], { env }, signal);
  if (code !== 0) throw new DownloadError(`Cannot unpack ${basename(file)}: ${output.trim()}`);
  await cp(join(partial, directory), `${target}.new`, { recursive: true });
  // The directory appears as a whole, so nobody ever finds half of it.
  await rename(`${target}.new`, target);
}

async function fromSource(name: ToolName, options: ToolchainOptions, signal: AbortSignal): Promise<string> {
  const { env, progress, modules = join(import.meta.dirname, "toolchain") } = options;
  const { version, build } = tools[name];
  const target = cacheDirectory(name, env);
  await mkdir(target, { recursive: true });
  const built = join(target, `${name}.building`);
  const goEnv = { ...env, CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false" };
  const last = await lastSeconds(name, env);
  const expectation =
    last === undefined ? `usually ${String(build.usualSeconds)} s on two cores` : `${String(last)} s last time here`;
  progress(`Building ${name} ${version} with Go (${expectation})`);
  const startedAt = performance.now();
  const command = ["go", "build", "-trimpath", "-ldflags", `-s -w ${build.linkerFlags}`.trim(), "-o", built, build.package];
  const { code, output } = await runCommand(command, { env: goEnv, cwd: join(modules, build.module) }, signal);
  if (code === undefined && /ENOENT/.test(output)) throw new ToolMissingError("There is no Go to build it with");
  if (code !== 0) throw new ToolMissingError(`go build of ${build.package} failed: ${output.trim().slice(-2_000)}`);
  await rename(built, join(target, name));
  const took = seconds(performance.now() - startedAt);
  await rememberSeconds(name, { env, took });
  progress(`Built ${name} ${version} in ${took} s`);
  return join(target, name);
}

/** One lock for the whole cache: a second process waits, and then finds what the first one made. */
async function lockCache(root: string, progress: Progress, signal: AbortSignal): Promise<() => Promise<void>> {
  for (let attempt = 0; attempt < LOCK_RETRIES_MAX; attempt += 1) {
    if (signal.aborted) throw abortReason(signal);
    try {
      return await lock(root, { stale: LOCK_STALE_MS, lockfilePath: join(root, ".lock") });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ELOCKED")) throw error;
      if (attempt === 0) progress("Waiting for another process that is getting tools");
      await new Promise((resolve) => setTimeout(resolve, LOCK_RETRY_MS));
    }
  }
  throw new ToolMissingError(`Another process has held ${root}/.lock for too long`);
}

function cacheRoot(env: ToolchainOptions["env"]): string {
  const base = env["XDG_CACHE_HOME"];
  const cache = base === undefined || base === "" ? join(env["HOME"] ?? homedir(), ".cache") : base;
  return join(cache, "pulumi-clusternet", "tools", `${process.platform}-${process.arch}`);
}

function cacheDirectory(name: ToolName, env: ToolchainOptions["env"]): string {
  return join(cacheRoot(env), `${name}-${tools[name].version}`);
}

function releasePlatform(): { os: string; goArch: string; nodeArch: string } {
  return { os: process.platform, goArch: process.arch === "x64" ? "amd64" : process.arch, nodeArch: process.arch };
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function lastSeconds(name: ToolName, env: ToolchainOptions["env"]): Promise<number | undefined> {
  return (await readDurations(env))[name];
}

async function rememberSeconds(
  name: ToolName,
  { env, took }: { readonly env: ToolchainOptions["env"]; readonly took: string },
): Promise<void> {
  const durations = { ...(await readDurations(env)), [name]: Number(took) };
  await writeFile(join(cacheRoot(env), "build-seconds.json"), `${JSON.stringify(durations)}\n`);
}

async function readDurations(env: ToolchainOptions["env"]): Promise<Record<string, number>> {
  try {
    return JSON.parse(await readFile(join(cacheRoot(env), "build-seconds.json"), "utf8")) as Record<string, number>;
  } catch {
    return {};
  }
}

function megabytes(bytes: number): string {
  return String(Math.round(bytes / 1_000_000));
}

function seconds(milliseconds: number): string {
  return String(Math.max(1, Math.round(milliseconds / 1_000)));
}
