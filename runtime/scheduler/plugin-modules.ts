// Plugins that are not built in: the modules that the configuration names, loaded and checked against the contract.

import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { toError } from "#std/errors.ts";
import { ConfigError, type ConfigProblem } from "./config.ts";
import { defaultPlugins } from "./default-plugins.ts";
import { CONTRACT_VERSION, type Plugin, type PluginFactory } from "./plugin.ts";
import { guarded } from "./plugin-guard.ts";
import type { PluginWatch } from "./plugin-watch.ts";

/** `file`: the configuration, whose directory paths are relative to. Throws ConfigError. */
export async function loadPluginModules(
  modules: readonly string[],
  file: string,
  watch?: PluginWatch,
): Promise<ReadonlyMap<string, PluginFactory>> {
  const factories = new Map<string, PluginFactory>();
  const problems: ConfigProblem[] = [];
  for (const [index, module] of modules.entries()) {
    const path = `modules[${String(index)}]`;
    const report = (message: string): void => void problems.push({ path, message: `${module} ${message}` });
    for (const [name, factory] of await pluginsOf(resolve(dirname(file), module), report, watch)) {
      if (defaultPlugins.some((plugin) => plugin.name === name))
        report(`calls a plugin ${name}, as one that is built in: rename it`);
      else if (factories.has(name)) report(`calls a plugin ${name}, as another module: rename one`);
      else factories.set(name, factory);
    }
  }
  if (problems.length > 0) throw new ConfigError(file, problems);
  return factories;
}

async function pluginsOf(
  path: string,
  report: (message: string) => void,
  watch: PluginWatch | undefined,
): Promise<readonly (readonly [string, PluginFactory])[]> {
  let loaded: { readonly contractVersion?: unknown; readonly plugins?: unknown };
  try {
    loaded = (await import(pathToFileURL(path).href)) as typeof loaded;
  } catch (error) {
    report(`cannot be loaded: ${toError(error).message}`);
    return [];
  }
  const { contractVersion, plugins } = loaded;
  if (contractVersion !== CONTRACT_VERSION) {
    const said =
      contractVersion === undefined ? "does not say its contractVersion" : `is for contract ${JSON.stringify(contractVersion)}`;
    report(`${said}; this scheduler has contract ${String(CONTRACT_VERSION)}`);
    return [];
  }
  const entries =
    typeof plugins === "object" && plugins !== null ? Object.entries(plugins as Readonly<Record<string, unknown>>) : [];
  if (entries.length === 0) report("exports no plugins: export const plugins = { Name: (args) => ({ name: 'Name', … }) }");
  return entries.map(([name, create]) => [name, factoryOf(name, create, watch)] as const);
}

function factoryOf(name: string, create: unknown, watch: PluginWatch | undefined): PluginFactory {
  return (args) => {
    if (typeof create !== "function") throw new Error("is no function of its args");
    const plugin = (create as (args: unknown) => Plugin | undefined)(args);
    if (plugin?.name !== name) throw new Error(`makes a plugin called ${plugin?.name ?? "nothing"}`);
    return guarded(plugin, { watch });
  };
}
