// Runs the real pulumi CLI on a project, with state, home and plugins of its own, and parses what it reports.
//
// The official language host and Kubernetes provider are used where they are installed; where they are not, the stand-ins of
// pulumi-stand-ins/ take their place, and one line says so.

import { access, constants, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { compileCache } from "#test/framework/compile-cache.ts";
import { parsePulumiEvents, type PulumiReport } from "#test/framework/pulumi-events.ts";
import { resolveTool } from "#tools/toolchain.ts";

export interface PulumiOptions {
  /** Holds Pulumi.yaml. It is only read; stack settings go to a directory of our own. */
  readonly directory: string;
  /** Default: "test". */
  readonly stack?: string;
  readonly config?: Readonly<Record<string, string>>;
  /** For the program; the caller's own environment is not passed on, except PATH and HOME. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where state is kept, to go on with it later; default: a new directory that is removed at the end. */
  readonly stateDirectory?: string;
  /** Receives the line that says which plugins are used. Default: the console. */
  readonly report?: (line: string) => void;
}

export interface OperationOptions {
  /** Added to the environment for this operation. */
  readonly env?: Readonly<Record<string, string>>;
  /** Fail when anything would change. */
  readonly expectNoChanges?: boolean;
  /** Refresh: only say what has drifted; the state stays as it is. */
  readonly previewOnly?: boolean;
  /** Return a failed result instead of throwing. */
  readonly allowFailure?: boolean;
  /** The CLI records every gRPC call here, one JSON object a line. */
  readonly grpcLog?: string;
  /** Further arguments of the command. */
  readonly arguments?: readonly string[];
}

export interface PulumiResult extends PulumiReport {
  readonly exitCode: number;
  readonly durationMs: number;
  /** Everything the CLI printed. */
  readonly text: string;
}

export type PluginChoice = "official" | "stand-in";

export interface Pulumi extends AsyncDisposable {
  readonly plugins: { readonly languageHost: PluginChoice; readonly kubernetesProvider: PluginChoice };
  preview(options?: OperationOptions, signal?: AbortSignal): Promise<PulumiResult>;
  up(options?: OperationOptions, signal?: AbortSignal): Promise<PulumiResult>;
  refresh(options?: OperationOptions, signal?: AbortSignal): Promise<PulumiResult>;
  destroy(options?: OperationOptions, signal?: AbortSignal): Promise<PulumiResult>;
  setConfig(key: string, value: string, options?: { readonly secret?: boolean }): Promise<void>;
  /** Secrets in clear. */
  outputs(): Promise<Readonly<Record<string, unknown>>>;
  /** The stack as `pulumi stack export` shows it; secrets encrypted. */
  exportState(): Promise<unknown>;
}

export class PulumiError extends Error {
  override readonly name = "PulumiError";
  readonly result: PulumiResult;

  constructor(command: string, result: PulumiResult) {
    super(`pulumi ${command} ended with ${String(result.exitCode)}\n${result.text}`);
    this.result = result;
  }
}

const DEFAULT_STACK = "test";
const OUTPUT_BYTES_MAX = 50_000_000;
const STOP_GRACE_MS = 20_000;
const standIns = fileURLToPath(new URL("pulumi-stand-ins/", import.meta.url));

export async function createPulumi(options: PulumiOptions, signal?: AbortSignal): Promise<Pulumi> {
  await using stack = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), "clusternet-pulumi-"));
  stack.defer(() => rm(home, { recursive: true, force: true }));
  const cli = await resolveTool("pulumi");
  const plugins = await choosePlugins(cli, home);
  (options.report ?? console.log)(describePlugins(plugins));
  const stateDirectory = options.stateDirectory ?? join(home, "state");
  await mkdir(stateDirectory, { recursive: true });
  const settings = join(home, "settings");
  await mkdir(settings);
  await copyFile(join(options.directory, "Pulumi.yaml"), join(settings, "Pulumi.yaml"));
  const run = runner({ cli, home, settings, stateDirectory, plugins, options });
  const name = options.stack ?? DEFAULT_STACK;
  await run(["stack", "select", "--create", name], {}, signal);
  const plain = Object.entries(options.config ?? {}).flatMap(([key, value]) => ["--plaintext", `${key}=${value}`]);
  if (plain.length > 0) await run(["config", "set-all", ...plain], {}, signal);
  const owned = stack.move();
  let operations = 0;
  const operate = async (
    command: Command,
    operation: OperationOptions = {},
    operationSignal?: AbortSignal,
  ): Promise<PulumiResult> => {
    operations += 1;
    const eventLog = join(home, `events-${String(operations)}.jsonl`);
    await writeFile(eventLog, "");
    const startedAt = performance.now();
    const { exitCode, text } = await run(
      commandLine(command, { ...operation, eventLog }),
      { ...operation, allowFailure: true },
      operationSignal,
    );
    const report = parsePulumiEvents(await readFile(eventLog, "utf8"));
    const result = { ...report, exitCode, text, durationMs: Math.round(performance.now() - startedAt) };
    if (exitCode !== 0 && operation.allowFailure !== true) throw new PulumiError(command, result);
    return result;
  };
  return {
    plugins: { languageHost: plugins.languageHost.choice, kubernetesProvider: plugins.kubernetesProvider.choice },
    preview: (operation, operationSignal) => operate("preview", operation, operationSignal),
    up: (operation, operationSignal) => operate("up", operation, operationSignal),
    refresh: (operation, operationSignal) => operate("refresh", operation, operationSignal),
    destroy: (operation, operationSignal) => operate("destroy", operation, operationSignal),
    setConfig: async (key, value, { secret = false } = {}) => {
      await run(["config", "set", key, value, ...(secret ? ["--secret"] : [])], {});
    },
    outputs: async () => {
      const { stdout } = await run(["stack", "output", "--json", "--show-secrets"], {});
      return JSON.parse(stdout) as Record<string, unknown>;
    },
    exportState: async () => JSON.parse((await run(["stack", "export"], {})).stdout) as unknown,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

type Command = "preview" | "up" | "refresh" | "destroy";

function commandLine(command: Command, operation: OperationOptions & { readonly eventLog: string }): string[] {
  const approval = command === "preview" ? [] : operation.previewOnly === true ? ["--preview-only"] : ["--yes", "--skip-preview"];
  return [
    command,
    ...approval,
    ...(operation.expectNoChanges === true ? ["--expect-no-changes"] : []),
    "--event-log",
    operation.eventLog,
    "--suppress-progress",
    ...(operation.arguments ?? []),
  ];
}

interface Runtime {
  readonly cli: string;
  readonly home: string;
  readonly settings: string;
  readonly stateDirectory: string;
  readonly plugins: Plugins;
  readonly options: PulumiOptions;
}

/** With it the CLI writes its state once, not after every resource: a quarter of what a run of the engine costs. Only tests ask for it. */
function skippedCheckpoints(): Readonly<Record<string, string>> {
  const { PULUMI_SKIP_CHECKPOINTS } = process.env;
  return PULUMI_SKIP_CHECKPOINTS === undefined ? {} : { PULUMI_EXPERIMENTAL: "true", PULUMI_SKIP_CHECKPOINTS };
}

type Run = (
  args: readonly string[],
  operation: OperationOptions,
  signal?: AbortSignal,
) => Promise<{ exitCode: number; text: string; stdout: string }>;

function runner({ cli, home, settings, stateDirectory, plugins, options }: Runtime): Run {
  const environment = {
    HOME: homedir(),
    PATH: [join(home, "bin"), dirname(cli), process.env["PATH"] ?? ""].join(":"),
    PULUMI_HOME: home,
    PULUMI_BACKEND_URL: `file://${stateDirectory}`,
    PULUMI_CONFIG_PASSPHRASE: "test",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // Shows the flag --event-log.
    PULUMI_DEBUG_COMMANDS: "true",
    PULUMI_DISABLE_REGISTRY_RESOLVE: "true",
    // What is missing shall fail at once, not after a download that cannot work.
    ...(plugins.kubernetesProvider.choice === "stand-in" ? { PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true" } : {}),
    ...compileCache(),
    ...skippedCheckpoints(),
    // A program that forgets its provider must not find somebody's real cluster.
    KUBECONFIG: join(home, "no-such-kubeconfig"),
    ...options.env,
  };
  return async (args, operation, signal) => {
    const place = placeArguments(args[0] ?? "", options, settings);
    const result = await execa(cli, [...args, "--non-interactive", "--color", "never", ...place], {
      env: {
        ...environment,
        ...operation.env,
        ...(operation.grpcLog === undefined ? {} : { PULUMI_DEBUG_GRPC: operation.grpcLog }),
      },
      extendEnv: false,
      stdin: "ignore",
      all: true,
      reject: false,
      maxBuffer: OUTPUT_BYTES_MAX,
      // The CLI stops its plugins and writes its state on SIGINT.
      killSignal: "SIGINT",
      forceKillAfterDelay: STOP_GRACE_MS,
      ...(signal === undefined ? {} : { cancelSignal: signal }),
    });
    signal?.throwIfAborted();
    const exitCode = result.exitCode ?? 1;
    if (exitCode !== 0 && operation.allowFailure !== true) throw new Error(`pulumi ${args.join(" ")}: ${result.all}`);
    return { exitCode, text: result.all, stdout: result.stdout };
  };
}

/**
 * `pulumi stack` writes the stack's settings beside Pulumi.yaml. A copy of that file keeps them out of the project's directory; the
 * operations, which do need the project, are told where the settings are.
 */
function placeArguments(command: string, { directory, stack = DEFAULT_STACK }: PulumiOptions, settings: string): string[] {
  const isOperation = ["preview", "up", "refresh", "destroy"].includes(command);
  if (!isOperation) return ["--cwd", settings];
  return ["--cwd", directory, "--stack", stack, "--config-file", join(settings, `Pulumi.${stack}.yaml`)];
}

interface Plugin {
  readonly choice: PluginChoice;
  readonly path: string;
}

interface Plugins {
  readonly languageHost: Plugin;
  readonly kubernetesProvider: Plugin;
}

/** Fills `<home>/bin`, the first entry of PATH, with the stand-ins that are needed and the Node that runs us. */
async function choosePlugins(cli: string, home: string): Promise<Plugins> {
  const bin = join(home, "bin");
  await mkdir(bin);
  await symlink(process.execPath, join(bin, "node"));
  const installed = process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
  const officialHost = join(dirname(cli), "pulumi-language-nodejs");
  const officialProvider = join(installed, "plugins", `resource-kubernetes-v${sdkVersion()}`, "pulumi-resource-kubernetes");
  const choose = async (official: string, name: string): Promise<Plugin> => {
    if (await isExecutable(official)) return { choice: "official", path: official };
    await symlink(join(standIns, name), join(bin, name));
    return { choice: "stand-in", path: join(standIns, name) };
  };
  const plugins = {
    languageHost: await choose(officialHost, "pulumi-language-nodejs"),
    kubernetesProvider: await choose(officialProvider, "pulumi-resource-kubernetes"),
  };
  if (plugins.kubernetesProvider.choice === "official") await symlink(join(installed, "plugins"), join(home, "plugins"));
  return plugins;
}

function sdkVersion(): string {
  const manifest = createRequire(import.meta.url)("@pulumi/kubernetes/package.json") as { readonly version: string };
  return manifest.version;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function describePlugins({ languageHost, kubernetesProvider }: Plugins): string {
  if (languageHost.choice === "official" && kubernetesProvider.choice === "official") {
    return "pulumi: official Node.js language host and Kubernetes provider";
  }
  const said = (what: string, { choice }: Plugin): string =>
    `${what}: ${choice === "official" ? "official" : "STAND-IN (the official one is not installed)"}`;
  return `pulumi: ${said("Node.js language host", languageHost)}; ${said("Kubernetes provider", kubernetesProvider)}`;
}
