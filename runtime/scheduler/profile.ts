// Profile: which plugins run for a schedulerName, at each point in their order, and how much their scores count. Pure.

import type { Plugin, SchedulingOptions } from "./plugin.ts";

/** In the order in which they run. */
export const pluginPoints = [
  "preFilter",
  "select",
  "filter",
  "postFilter",
  "preScore",
  "score",
  "preAssign",
  "assign",
] as const satisfies readonly (keyof Plugin)[];
export type PluginPoint = (typeof pluginPoints)[number];

/** A plugin that has something to say at a point. */
export type PluginAt<Point extends PluginPoint> = Plugin & Required<Pick<Plugin, Point>>;

export type PluginPoints = { readonly [Point in PluginPoint]: readonly PluginAt<Point>[] };

export interface Profile {
  readonly schedulerName: string;
  readonly plugins: PluginPoints;
  /** By name; 1 when absent. */
  readonly scoreWeights: Readonly<Record<string, number>>;
  readonly options: SchedulingOptions;
}

export const defaultSchedulingOptions: SchedulingOptions = { percentageOfClustersToScore: 0, percentageOfClustersToTolerate: 10 };

/** Every plugin at every point that it has, in the order of the list. */
export function pluginsAtTheirPoints(plugins: readonly Plugin[]): PluginPoints {
  return {
    preFilter: at("preFilter", plugins),
    select: at("select", plugins),
    filter: at("filter", plugins),
    postFilter: at("postFilter", plugins),
    preScore: at("preScore", plugins),
    score: at("score", plugins),
    preAssign: at("preAssign", plugins),
    assign: at("assign", plugins),
  };
}

function at<Point extends PluginPoint>(point: Point, plugins: readonly Plugin[]): readonly PluginAt<Point>[] {
  return plugins.filter((plugin): plugin is PluginAt<Point> => plugin[point] !== undefined);
}
