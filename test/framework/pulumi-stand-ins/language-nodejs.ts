// Stand-in for the official Node.js language host: runs a program under the Node that runs this file.
//
// Started by the engine as `pulumi-language-nodejs [flags] ENGINE_ADDRESS`.

import { spawn, type ChildProcess } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { LanguageRuntimeService } from "@pulumi/pulumi/proto/language_grpc_pb.js";
import languageMessages from "@pulumi/pulumi/proto/language_pb.js";
import type { RunRequest, RunResponse } from "@pulumi/pulumi/proto/language_pb.js";
import pluginMessages from "@pulumi/pulumi/proto/plugin_pb.js";
import { PluginError, emptyMessages, servePlugin, unary } from "./plugin-server.ts";

/** What the official language host of the pinned CLI says. */
const VERSION = "3.250.0";
/** `@pulumi/pulumi/cmd/run` ends with it after it has already told the user what went wrong. */
const EXIT_CODE_BAIL = 32;

const engineAddress = process.argv.slice(2).find((argument) => !argument.startsWith("-"));
const programs = new Set<ChildProcess>();

await servePlugin(LanguageRuntimeService, {
  getPluginInfo: unary(() => new pluginMessages.PluginInfo().setVersion(VERSION)),
  // Plugins are found on PATH, so there is nothing to install before the program runs.
  getRequiredPackages: unary(() => new languageMessages.GetRequiredPackagesResponse()),
  getRequiredPlugins: unary(() => new languageMessages.GetRequiredPluginsResponse()),
  run: unary(run),
  about: unary(() => new languageMessages.AboutResponse().setExecutable(process.execPath).setVersion(process.version)),
  cancel: unary(() => {
    for (const program of programs) program.kill("SIGTERM");
    return new emptyMessages.Empty();
  }),
});

async function run(request: RunRequest): Promise<RunResponse> {
  if (engineAddress === undefined) throw new PluginError(status.FAILED_PRECONDITION, "No engine address was given");
  const info = request.getInfo();
  const directory = info?.getProgramDirectory() ?? request.getPwd();
  const program = spawn(process.execPath, [...nodeArguments(request), ...programArguments(request, directory, engineAddress)], {
    cwd: directory,
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      PULUMI_CONFIG: JSON.stringify(Object.fromEntries(request.getConfigMap().toObject())),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
    },
  });
  programs.add(program);
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number | null; signal: NodeJS.Signals | null }>();
  program.on("error", reject).on("exit", (code, signal) => resolve({ code, signal }));
  const { code, signal } = await promise.finally(() => programs.delete(program));
  const response = new languageMessages.RunResponse();
  if (code === 0) return response;
  if (code === EXIT_CODE_BAIL) return response.setBail(true);
  return response.setError(
    signal === null ? `Program exited with non-zero exit code: ${String(code)}` : `Program was ended by ${signal}`,
  );
}

function programArguments(request: RunRequest, directory: string, engine: string): string[] {
  const info = request.getInfo();
  // The program's own SDK runs it: a different copy would not share the state of the one the program imports.
  const runner = createRequire(join(directory, "package.json")).resolve("@pulumi/pulumi/cmd/run");
  const options = {
    monitor: request.getMonitorAddress(),
    engine,
    organization: request.getOrganization(),
    project: request.getProject(),
    "root-directory": info?.getRootDirectory() ?? "",
    stack: request.getStack(),
    pwd: request.getPwd(),
    parallel: request.getParallel() === 0 ? "" : String(request.getParallel()),
  };
  return [
    runner,
    ...Object.entries(options).flatMap(([name, value]) => (value === "" ? [] : [`--${name}`, value])),
    ...(request.getDryrun() ? ["--dry-run"] : []),
    info?.getEntryPoint() ?? request.getProgram(),
    ...request.getArgsList(),
  ];
}

/** `runtime.options.nodeargs` of Pulumi.yaml. */
function nodeArguments(request: RunRequest): string[] {
  const options = request.getInfo()?.getOptions()?.toJavaScript() ?? {};
  const nodeargs = options["nodeargs"];
  return typeof nodeargs === "string" ? nodeargs.split(/\s+/).filter((argument) => argument !== "") : [];
}
