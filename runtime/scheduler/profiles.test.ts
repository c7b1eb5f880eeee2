// Configuration files: what is accepted, what the profiles are then, and what is said of a mistake.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parseConfig } from "#scheduler/config.ts";
import { defaultPlugins, defaultProfile } from "#scheduler/default-plugins.ts";
import { loadProfiles } from "#scheduler/load-profiles.ts";
import type { Profile } from "#scheduler/profile.ts";
import type { PluginFactory } from "#scheduler/plugin.ts";
import { profilesOf } from "#scheduler/profiles.ts";

const factories = new Map<string, PluginFactory>([
  ["Cheap", (args) => ({ name: "Cheap", score: () => (args as { readonly price?: number } | undefined)?.price ?? 1 })],
  [
    "Strict",
    () => {
      throw new Error("price must be positive");
    },
  ],
  ["Prepared", () => ({ name: "Prepared", preScore: () => 1, score: () => 1 })],
]);

function profilesFrom(text: string): readonly Profile[] {
  return profilesOf(parseConfig(text, "config.yaml"), { file: "config.yaml", schedulerName: "default", factories });
}

const namesAt = (profile: Profile | undefined, point: keyof Profile["plugins"]): readonly string[] =>
  profile?.plugins[point].map(({ name }) => name) ?? [];

describe("A configuration file", () => {
  test.each(["", "{}", "profiles: []", "# nothing"])("that says nothing (%j) is one profile of the default plugins", (text) => {
    expect(profilesFrom(text)).toEqual([defaultProfile("default")]);
  });

  test("may have several profiles, each with a name of its own", () => {
    const profiles = profilesFrom("profiles: [{schedulerName: eager}, {schedulerName: default}]");
    expect(profiles.map(({ schedulerName }) => schedulerName)).toEqual(["eager", "default"]);
  });

  test("disables default plugins, one or all, and appends those that it enables", () => {
    const text = `
profiles:
- schedulerName: mine
  plugins:
    filter: {disabled: [{name: "*"}], enabled: [{name: ClusterReady}]}
    select: {enabled: [{name: ClusterAffinity}]}
    score: {enabled: [{name: Cheap, weight: 5}]}
  pluginConfig: [{name: Cheap, args: {price: 7}}]
`;
    const [profile] = profilesFrom(text);
    const defaults = defaultPlugins.filter((plugin) => plugin.score !== undefined).map(({ name }) => name);
    expect(namesAt(profile, "filter")).toEqual(["ClusterReady"]);
    expect(namesAt(profile, "select")).toEqual(["ClusterAffinity"]);
    expect(namesAt(profile, "score")).toEqual([...defaults, "Cheap"]);
    expect(profile?.scoreWeights).toMatchObject({ Cheap: 5, TaintToleration: 3 });
    expect(profile?.plugins.score.at(-1)?.score({} as never)).toBe(7);
  });

  test.each(["percentageOfClustersToScore", "percentageofclusterstoscore"])("may say %s", (name) => {
    expect(profilesFrom(`${name}: 30`)[0]?.options).toEqual({
      percentageOfClustersToScore: 30,
      percentageOfClustersToTolerate: 100,
    });
  });
});

const mistakes: readonly (readonly [string, string, string])[] = [
  ["no YAML", "profiles: [", "(the file): Is no YAML"],
  ["an alias of nothing", "profiles: *mine", "(the file): Has an alias that cannot be followed: Unresolved alias"],
  [
    "aliases of aliases without end",
    [
      "a: &a [x,x,x,x,x,x,x,x,x]",
      "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]",
      "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]",
      "d: [*c,*c,*c]",
    ].join("\n"),
    "(the file): Has an alias that cannot be followed: Excessive alias count",
  ],
  ["an unknown field", "profile: []", "(the file): Unknown field profile; known are apiVersion, kind, profiles"],
  ["an unknown point", "profiles: [{plugins: {filters: {}}}]", "profiles[0].plugins: Unknown field filters; known are preFilter"],
  [
    "a text for a number",
    "percentageOfClustersToScore: many",
    "percentageOfClustersToScore: Must be a whole number from 0 to 100",
  ],
  ["a percentage of 101", "percentageOfClustersToTolerate: 101", "percentageOfClustersToTolerate: Must be at most 100"],
  [
    "two percentages",
    "{percentageOfClustersToScore: 1, percentageofclusterstoscore: 2}",
    "percentageofclusterstoscore: Says 2, and percentageOfClustersToScore 1: remove one of them",
  ],
  [
    "a name twice",
    "profiles: [{schedulerName: a}, {schedulerName: b}, {schedulerName: a}]",
    "profiles[2].schedulerName: a is also the name of profiles[0]: give each profile its own",
  ],
  ["two profiles without a name", "profiles: [{}, {}]", "profiles[1].schedulerName: default is also the name of profiles[0]"],
  [
    "an unknown plugin",
    "profiles: [{plugins: {filter: {enabled: [{name: Nope}]}}}]",
    "profiles[0].plugins.filter.enabled[0].name: There is no plugin Nope; known are SchedulingGates, ClusterAffinity",
  ],
  [
    "a plugin that is not there by default",
    "profiles: [{plugins: {filter: {disabled: [{name: Cheap}]}}}]",
    "profiles[0].plugins.filter.disabled[0].name: There is no plugin Cheap; known are TaintToleration, ClusterReady, *",
  ],
  [
    "a plugin at a point that it has not",
    "profiles: [{plugins: {filter: {enabled: [{name: Cheap}]}}}]",
    "profiles[0].plugins.filter.enabled[0].name: Cheap has nothing to say here; it has score",
  ],
  [
    "a plugin twice",
    "profiles: [{plugins: {score: {enabled: [{name: Cheap}, {name: Cheap}]}}}]",
    "profiles[0].plugins.score.enabled[1].name: Cheap is enabled twice: keep one",
  ],
  [
    "a weight of 0",
    "profiles: [{plugins: {score: {enabled: [{name: Cheap, weight: 0}]}}}]",
    "profiles[0].plugins.score.enabled[0].weight: Must be at least 1",
  ],
  [
    "a weight of a filter",
    "profiles: [{plugins: {filter: {enabled: [{name: ClusterReady, weight: 2}]}}}]",
    "profiles[0].plugins.filter: ClusterReady has a weight, which only score plugins have",
  ],
  [
    "a score without its preScore",
    "profiles: [{plugins: {score: {enabled: [{name: Prepared}]}}}]",
    "profiles[0].plugins.preScore: The score of Prepared needs its preScore: enable it here too",
  ],
  [
    "args of a plugin that is built in",
    "profiles: [{pluginConfig: [{name: ClusterReady, args: {}}]}]",
    "profiles[0].pluginConfig[0].args: ClusterReady is built in and takes no args: remove this entry",
  ],
  [
    "args that a plugin refuses",
    "profiles: [{plugins: {score: {enabled: [{name: Strict}]}}}]",
    "profiles[0].pluginConfig: Strict does not take its args: price must be positive",
  ],
  [
    "nobody who selects",
    "profiles: [{plugins: {select: {disabled: [{name: '*'}]}}}]",
    "profiles[0].plugins.select: No plugin is left",
  ],
  [
    "nobody who assigns",
    "profiles: [{plugins: {assign: {disabled: [{name: '*'}]}}}]",
    "profiles[0].plugins.assign: No plugin is left",
  ],
  ["the point predict", "profiles: [{plugins: {predict: {}}}]", "profiles[0].plugins: Clusters are asked for their capacity"],
];

test.each(mistakes)("a configuration with %s is refused, and the field is named", (_mistake, text, says) => {
  expect(() => profilesFrom(text)).toThrow(`Cannot use the configuration config.yaml:\n  ${says}`);
});

test("a file is read; one that is not there is said to be missing", async () => {
  const directory = await mkdtemp(join(tmpdir(), "clusternet-scheduler-config-"));
  try {
    const config = join(directory, "config.yaml");
    await writeFile(config, "profiles: [{schedulerName: eager}]");
    expect((await loadProfiles({ config, schedulerName: "default" })).map(({ schedulerName }) => schedulerName)).toEqual([
      "eager",
    ]);
    await expect(loadProfiles({ config: join(directory, "none"), schedulerName: "x" })).rejects.toThrow(
      /\(the file\): Cannot be read/,
    );
  } finally {
    await rm(directory, { recursive: true });
  }
});
