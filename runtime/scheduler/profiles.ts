// (configuration, plugins that there are) -> profiles: per point the default plugins, without those that are disabled, with those that are
// enabled, in their order. Pure.

import { EVERY_PLUGIN, pluginPoints, type PluginPoint, type ProfileConfig, type SchedulerConfig } from "#api/scheduler-config.ts";
import { ConfigError, type ConfigProblem } from "./config.ts";
import { defaultPlugins, defaultScoreWeights } from "./default-plugins.ts";
import type { Plugin, PluginFactory, SchedulingOptions } from "./plugin.ts";
import { defaultSchedulingOptions, pluginsAtTheirPoints, type PluginPoints, type Profile } from "./profile.ts";

export interface ProfilesOptions {
  /** Name of the file, for messages. */
  readonly file: string;
  /** Name of a profile that does not say one. */
  readonly schedulerName: string;
  /** Plugins that are not built in, by name. */
  readonly factories?: ReadonlyMap<string, PluginFactory>;
}

/** Without a profile in the configuration there is one, with the default plugins. Throws ConfigError. */
export function profilesOf(config: SchedulerConfig, options: ProfilesOptions): readonly Profile[] {
  const problems: ConfigProblem[] = [];
  const settings = settingsOf(config, problems);
  const configured = config.profiles.length === 0 ? [emptyProfile] : config.profiles;
  const profiles = configured.map((profile, index) => {
    const path = `profiles[${String(index)}]`;
    return profileOf(profile, { path, settings, options, problems });
  });
  problems.push(...duplicates(profiles));
  if (problems.length > 0) throw new ConfigError(options.file, problems);
  return profiles;
}

const emptyProfile: ProfileConfig = { plugins: {}, pluginConfig: [] };

/** Both spellings are read; upstream knows only the lower-case one. */
function settingsOf(config: SchedulerConfig, problems: ConfigProblem[]): SchedulingOptions {
  const read = (name: "percentageOfClustersToScore" | "percentageOfClustersToTolerate"): number => {
    const lower = name.toLowerCase() as "percentageofclusterstoscore" | "percentageofclusterstotolerate";
    const [camelCase, lowerCase] = [config[name], config[lower]];
    if (camelCase !== undefined && lowerCase !== undefined && camelCase !== lowerCase) {
      problems.push({ path: lower, message: `Says ${String(lowerCase)}, and ${name} ${String(camelCase)}: remove one of them` });
    }
    return camelCase ?? lowerCase ?? defaultSchedulingOptions[name];
  };
  return {
    percentageOfClustersToScore: read("percentageOfClustersToScore"),
    percentageOfClustersToTolerate: read("percentageOfClustersToTolerate"),
  };
}

function duplicates(profiles: readonly Profile[]): readonly ConfigProblem[] {
  return profiles.flatMap(({ schedulerName }, index) => {
    const first = profiles.findIndex((other) => other.schedulerName === schedulerName);
    if (first === index) return [];
    const message = `${schedulerName} is also the name of profiles[${String(first)}]: give each profile its own`;
    return [{ path: `profiles[${String(index)}].schedulerName`, message }];
  });
}

interface ProfileScope {
  /** Of the profile in the file. */
  readonly path: string;
  readonly settings: SchedulingOptions;
  readonly options: ProfilesOptions;
  readonly problems: ConfigProblem[];
}

function profileOf(config: ProfileConfig, scope: ProfileScope): Profile {
  const { path, settings, options, problems } = scope;
  const known = pluginsOf(config, scope);
  const defaults = pluginsAtTheirPoints(defaultPlugins);
  const scoreWeights: Record<string, number> = { ...defaultScoreWeights };
  const chosen = Object.fromEntries(
    pluginPoints.map((point) => {
      for (const { name, weight } of config.plugins[point]?.enabled ?? []) {
        if (weight === undefined) continue;
        if (point === "score") scoreWeights[name] = weight;
        else problems.push({ path: `${path}.plugins.${point}`, message: `${name} has a weight, which only score plugins have` });
      }
      return [point, pluginsAt(point, { config, defaults: defaults[point], known, scope })];
    }),
  ) as Readonly<Record<PluginPoint, readonly Plugin[]>>;
  // Each is a plugin that has its point: who has not was reported as a problem.
  const plugins = chosen as PluginPoints;
  problems.push(...whatIsMissing(plugins, path));
  return { schedulerName: config.schedulerName ?? options.schedulerName, plugins, scoreWeights, options: settings };
}

/** Without these nothing could be decided, or everything would be selected. */
function whatIsMissing(plugins: PluginPoints, path: string): readonly ConfigProblem[] {
  const empty = (["select", "assign", "bind"] as const)
    .filter((point) => plugins[point].length === 0)
    .map((point) => ({ path: `${path}.plugins.${point}`, message: "No plugin is left: enable at least one" }));
  const prepared = new Set<Plugin>(plugins.preScore);
  const unprepared = plugins.score
    .filter((plugin) => plugin.preScore !== undefined && !prepared.has(plugin))
    .map(({ name }) => ({
      path: `${path}.plugins.preScore`,
      message: `The score of ${name} needs its preScore: enable it here too`,
    }));
  return [...empty, ...unprepared];
}

/** Every plugin that the profile can name. */
function pluginsOf(config: ProfileConfig, { path, options, problems }: ProfileScope): ReadonlyMap<string, Plugin> {
  const { factories = new Map<string, PluginFactory>() } = options;
  const argsOf = new Map<string, unknown>();
  for (const [index, { name, args }] of config.pluginConfig.entries()) {
    const at = `${path}.pluginConfig[${String(index)}]`;
    if (argsOf.has(name)) problems.push({ path: `${at}.name`, message: `${name} is configured twice: keep one` });
    else if (defaultPlugins.some((plugin) => plugin.name === name)) {
      problems.push({ path: `${at}.args`, message: `${name} is built in and takes no args: remove this entry` });
    } else if (!factories.has(name)) problems.push({ path: `${at}.name`, message: unknownText(name, [...factories.keys()]) });
    argsOf.set(name, args);
  }
  const known = new Map(defaultPlugins.map((plugin) => [plugin.name, plugin]));
  const asked = new Set(Object.values(config.plugins).flatMap((set) => set.enabled.map(({ name }) => name)));
  for (const [name, create] of factories) {
    if (!asked.has(name)) continue;
    try {
      known.set(name, create(argsOf.get(name)));
    } catch (error) {
      const message = `${name} does not take its args: ${error instanceof Error ? error.message : String(error)}`;
      problems.push({ path: `${path}.pluginConfig`, message });
    }
  }
  return known;
}

interface PointOptions {
  readonly config: ProfileConfig;
  readonly defaults: readonly Plugin[];
  readonly known: ReadonlyMap<string, Plugin>;
  readonly scope: ProfileScope;
}

/** Who is enabled stays where it is by default, with its new weight; everybody else is appended. */
function pluginsAt(point: PluginPoint, { config, defaults, known, scope: { path, problems } }: PointOptions): readonly Plugin[] {
  const { enabled = [], disabled = [] } = config.plugins[point] ?? {};
  const report = (field: string, message: string): void => {
    problems.push({ path: `${path}.plugins.${point}.${field}`, message });
  };
  const off = new Set<string>();
  for (const [index, { name }] of disabled.entries()) {
    if (name === EVERY_PLUGIN) for (const plugin of defaults) off.add(plugin.name);
    else if (defaults.some((plugin) => plugin.name === name)) off.add(name);
    else report(`disabled[${String(index)}].name`, unknownText(name, [...defaults.map((plugin) => plugin.name), EVERY_PLUGIN]));
  }
  const plugins = defaults.filter((plugin) => !off.has(plugin.name));
  const seen = new Set<string>();
  for (const [index, { name }] of enabled.entries()) {
    const field = `enabled[${String(index)}].name`;
    const plugin = known.get(name);
    if (seen.has(name)) report(field, `${name} is enabled twice: keep one`);
    else if (plugin === undefined) report(field, unknownText(name, [...known.keys()]));
    else if (plugin[point] === undefined) report(field, `${name} has nothing to say here; it has ${pointsOf(plugin).join(", ")}`);
    else if (!plugins.includes(plugin)) plugins.push(plugin);
    seen.add(name);
  }
  return plugins;
}

function pointsOf(plugin: Plugin): readonly PluginPoint[] {
  return pluginPoints.filter((point) => plugin[point] !== undefined);
}

function unknownText(name: string, known: readonly string[]): string {
  if (known.length === 0) return `There is no plugin ${name}; name its module in modules`;
  return `There is no plugin ${name}; known are ${known.join(", ")}. A plugin of your own needs its module in modules`;
}
