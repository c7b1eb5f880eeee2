// The scheduler's configuration file (`--config`): profiles and their plugins. The form is upstream's; what we add is optional.

import * as z from "zod";
import type { Immutable } from "./define-kind.ts";

/** Where plugins may be enabled or disabled, in the order in which they run. All but `select` are upstream's. */
export const pluginPoints = [
  "preFilter",
  "select",
  "filter",
  "postFilter",
  "preScore",
  "score",
  "preAssign",
  "assign",
  "reserve",
  "permit",
  "preBind",
  "bind",
  "postBind",
] as const;
export type PluginPoint = (typeof pluginPoints)[number];

/** Disables every default plugin of a point. */
export const EVERY_PLUGIN = "*";

const SCORE_WEIGHT_MAX = 100;
const PROFILES_MAX = 100;

/** An unknown field is an error that names the known ones; `notes`: what is said of those that upstream knows and we do not. */
function only<TShape extends z.ZodRawShape>(
  shape: TShape,
  notes: Readonly<Record<string, string>> = {},
): z.ZodObject<TShape, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== "unrecognized_keys") return undefined;
      const { keys } = issue;
      const note = keys.map((key) => notes[key]).find((text) => text !== undefined);
      return note ?? `Unknown field ${keys.join(", ")}; known are ${Object.keys(shape).join(", ")}`;
    },
  });
}

const name = z.string("Must be the name of a plugin").min(1, "Must be the name of a plugin, not empty");

const pluginSet = only({
  enabled: z
    .array(
      only({
        name,
        weight: z
          .int(`Must be a whole number from 1 to ${String(SCORE_WEIGHT_MAX)}`)
          .min(1, "Must be at least 1: to switch a plugin off, name it in disabled")
          .max(SCORE_WEIGHT_MAX, `Must be at most ${String(SCORE_WEIGHT_MAX)}`)
          .optional(),
      }),
    )
    .default([]),
  disabled: z.array(only({ name })).default([]),
});

const points = Object.fromEntries(pluginPoints.map((point) => [point, pluginSet.optional()])) as Readonly<
  Record<PluginPoint, z.ZodOptional<typeof pluginSet>>
>;

const ASKED_BEFORE = "Clusters are asked for their capacity before any plugin runs: remove predict and prePredict";

const profile = only({
  schedulerName: z.string().min(1, "Must be a name, not empty; Subscriptions say it in spec.schedulerName").optional(),
  plugins: only(points, { prePredict: ASKED_BEFORE, predict: ASKED_BEFORE }).default({}),
  pluginConfig: z.array(only({ name, args: z.unknown().optional() })).default([]),
});

const percentage = z
  .int("Must be a whole number from 0 to 100")
  .min(0, "Must be at least 0")
  .max(100, "Must be at most 100")
  .optional();

export const SchedulerConfig = only({
  apiVersion: z.string().optional(),
  kind: z.string().optional(),
  profiles: z
    .array(profile)
    .max(PROFILES_MAX, `At most ${String(PROFILES_MAX)} profiles`)
    .default([]),
  percentageOfClustersToScore: percentage,
  percentageOfClustersToTolerate: percentage,
  /** Upstream reads these two only in lower case. */
  percentageofclusterstoscore: percentage,
  percentageofclusterstotolerate: percentage,
  /** Plugins that are not built in: modules, relative to the file. */
  modules: z.array(z.string().min(1, "Must be the path of a module, not empty")).default([]),
});
export type SchedulerConfig = Immutable<z.output<typeof SchedulerConfig>>;
/** As people write it: everything is optional. */
export type SchedulerConfigInput = Immutable<z.input<typeof SchedulerConfig>>;
export type ProfileConfig = SchedulerConfig["profiles"][number];
