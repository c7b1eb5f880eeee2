// What a plugin that is not built in may do wrong, and that it is said who it was.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ApiError } from "#kube/errors.ts";
import type { Plugin } from "#scheduler/plugin.ts";
import { guarded } from "#scheduler/plugin-guard.ts";
import { loadPluginModules } from "#scheduler/plugin-modules.ts";

const bad = (members: object): Plugin => guarded({ name: "Bad", ...members }, { callMsMax: 20 });
const input = {} as never;
const { signal } = new AbortController();

describe("A call of a plugin that must answer at once", () => {
  const throws = (): never => {
    throw new Error("out of paper");
  };
  test.each([
    ["throws", () => bad({ filter: throws }).filter!(input), "Plugin Bad failed at filter: out of paper"],
    [
      "returns a promise",
      () => bad({ filter: () => Promise.reject(new Error("later")) }).filter!(input),
      "returned a promise at filter",
    ],
    ["answers nothing", () => bad({ filter: () => undefined }).filter!(input), "answered undefined at filter"],
    [
      "says no without a reason",
      () => bad({ select: () => ({ fits: false }) }).select!(input),
      'answered {"fits":false} at select',
    ],
    ["scores NaN", () => bad({ score: () => Number.NaN }).score!(input), "answered null at score"],
    ["normalises to an object", () => bad({ normalise: () => ({}) }).normalise!(input), "answered {} at normalise"],
    [
      "normalises to what is no number",
      () => bad({ normalise: () => new Map([["a", "much"]]) }).normalise!(input),
      'answered {"a":"much"} at normalise',
    ],
    ["refuses without a message", () => bad({ preFilter: () => ({ type: "refuse" }) }).preFilter!(input), "at preFilter"],
    [
      "gives a reason that no condition can have",
      () => bad({ preFilter: () => ({ type: "wait", reason: "not yet", message: "" }) }).preFilter!(input),
      "at preFilter",
    ],
    [
      "assigns in no order",
      () => bad({ assign: () => ({ type: "assigned", clusters: ["b", "a"] }) }).assign!(input),
      "at assign",
    ],
    [
      "assigns fewer counts than clusters",
      () => bad({ assign: () => ({ type: "assigned", clusters: ["a", "b"], replicas: { web: [1] } }) }).assign!(input),
      "at assign",
    ],
    [
      "assigns a negative count",
      () => bad({ assign: () => ({ type: "assigned", clusters: ["a"], replicas: { web: [-1] } }) }).assign!(input),
      "at assign",
    ],
    ...(
      [
        ["has a shortfall without a reason", { shortfall: "too few" }],
        ["leaves a cluster out without saying why", { left: { a: "" } }],
        ["divides into what are no shares", { divisions: [{ feed: "web", desired: 1, placed: 1, shares: [1] }] }],
      ] as const
    ).map(([what, members]): [string, () => unknown, string] => [
      what,
      () => bad({ assign: () => ({ type: "assigned", clusters: [], ...members }) }).assign!(input),
      "at assign",
    ]),
  ])("that %s is refused", (_what, call, says) => {
    expect(call).toThrow(says);
    expect(call).toThrow("Plugin Bad");
  });

  test("that keeps the contract is answered, with `this` as the plugin wrote it", () => {
    const plugin = guarded({
      name: "Good",
      score(this: Plugin) {
        return this.name.length;
      },
      scale: "fewer-is-better",
      assign: () => ({ type: "assigned", clusters: ["a", "b"], replicas: { web: [1, 0], cron: [] } }),
    });
    expect(plugin.score!(input)).toBe(4);
    expect(plugin.scale).toBe("fewer-is-better");
    expect(plugin.assign!(input)).toMatchObject({ clusters: ["a", "b"] });
    expect(Object.keys(plugin).toSorted()).toEqual(["assign", "name", "scale", "score"]);
  });
});

describe("A call of a plugin that may wait", () => {
  test("is over when its time is, and the plugin is told to stop", async () => {
    let told: AbortSignal | undefined;
    const plugin = bad({
      preBind: (_input: unknown, own: AbortSignal) => {
        told = own;
        return new Promise(() => undefined);
      },
    });
    await expect(plugin.preBind!(input, signal)).rejects.toThrow("Plugin Bad did not answer at preBind within 20 ms");
    expect(told?.aborted).toBe(true);
  });

  test("that fails names the plugin; what the API server refused is left as it is", async () => {
    await expect(bad({ reserve: () => Promise.reject(new Error("full")) }).reserve!(input, signal)).rejects.toThrow(
      "Plugin Bad failed at reserve: full",
    );
    const conflict = new ApiError({ reason: "Conflict", code: 409, message: "changed" });
    await expect(bad({ bind: () => Promise.reject(conflict) }).bind!(input, signal)).rejects.toBe(conflict);
    await expect(bad({ permit: () => ({ type: "maybe" }) }).permit!(input, signal)).rejects.toThrow(
      'answered {"type":"maybe"} at permit',
    );
  });
});

describe("A module", () => {
  let directory: string;
  const modules = {
    "good.mjs":
      "export const contractVersion = 1; export const plugins = { Good: (args) => ({ name: 'Good', score: () => args.points }) };",
    "new.mjs": "export const contractVersion = 2; export const plugins = {};",
    "silent.mjs": "export const plugins = {};",
    "broken.mjs": "throw new Error('no such file');",
    "empty.mjs": "export const contractVersion = 1; export const plugins = {};",
    "taken.mjs": "export const contractVersion = 1; export const plugins = { ClusterReady: () => ({ name: 'ClusterReady' }) };",
    "named.mjs": "export const contractVersion = 1; export const plugins = { One: () => ({ name: 'Two' }) };",
  };
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "clusternet-plugins-"));
    for (const [name, text] of Object.entries(modules)) await writeFile(join(directory, name), text);
  });
  afterAll(() => rm(directory, { recursive: true }));

  const load = (...names: readonly string[]): ReturnType<typeof loadPluginModules> =>
    loadPluginModules(
      names.map((name) => `./${name}`),
      join(directory, "config.yaml"),
    );

  test("beside the configuration gives its plugins, made of their args", async () => {
    const factories = await load("good.mjs");
    expect([...factories.keys()]).toEqual(["Good"]);
    expect(factories.get("Good")?.({ points: 7 }).score?.(input)).toBe(7);
  });

  test("that gives a plugin another name than it exports is refused when the plugin is made", async () => {
    const factories = await load("named.mjs");
    expect(() => factories.get("One")?.(undefined)).toThrow("makes a plugin called Two");
  });

  test.each([
    ["new.mjs", "modules[0]: ./new.mjs is for contract 2; this scheduler has contract 1"],
    ["silent.mjs", "./silent.mjs does not say its contractVersion"],
    ["broken.mjs", "./broken.mjs cannot be loaded: no such file"],
    ["none.mjs", "./none.mjs cannot be loaded"],
    ["empty.mjs", "./empty.mjs exports no plugins"],
    ["taken.mjs", "./taken.mjs calls a plugin ClusterReady, as one that is built in: rename it"],
  ])("%s is refused", async (name, says) => {
    await expect(load(name)).rejects.toThrow(says);
  });
});
