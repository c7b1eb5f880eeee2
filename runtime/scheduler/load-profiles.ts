// Reads the configuration file and makes the profiles of it.

import { readFile } from "node:fs/promises";
import { toError } from "#std/errors.ts";
import { ConfigError, parseConfig } from "./config.ts";
import type { SchedulerOptions } from "./options.ts";
import { loadPluginModules } from "./plugin-modules.ts";
import type { PluginWatch } from "./plugin-watch.ts";
import type { Profile } from "./profile.ts";
import { profilesOf } from "./profiles.ts";

/** Throws ConfigError. Without a file: one profile, the default plugins. */
export async function loadProfiles(
  {
    config: file,
    schedulerName,
    upstreamDividing = false,
  }: Pick<SchedulerOptions, "config" | "schedulerName"> & Partial<Pick<SchedulerOptions, "upstreamDividing">>,
  watch?: PluginWatch,
): Promise<readonly Profile[]> {
  const text = file === "" ? "" : await readConfig(file);
  const parsed = parseConfig(text, file);
  const factories = await loadPluginModules(parsed.modules, file, watch);
  const profiles = profilesOf(parsed, { file, schedulerName, factories });
  return upstreamDividing
    ? profiles.map((profile) => ({ ...profile, options: { ...profile.options, upstreamDividing } }))
    : profiles;
}

async function readConfig(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const message = `Cannot be read: ${toError(error).message}. --config names a YAML file`;
    throw new ConfigError(file, [{ path: "(the file)", message }], { cause: error });
  }
}
