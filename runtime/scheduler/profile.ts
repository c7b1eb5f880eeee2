// Profile: which plugins run for a schedulerName, at each point in their order, and how much their scores count. Pure.

import { pluginPoints, type PluginPoint } from "#api/scheduler-config.ts";
import type { Plugin, SchedulingOptions } from "./plugin.ts";

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

/** A cluster that is silent is normal: unless somebody says otherwise, the others go on. */
export const defaultSchedulingOptions: SchedulingOptions = {
  percentageOfClustersToScore: 0,
  percentageOfClustersToTolerate: 100,
};

/** Every plugin at every point that it has, in the order of the list. */
export function pluginsAtTheirPoints(plugins: readonly Plugin[]): PluginPoints {
  const at = (point: PluginPoint): readonly Plugin[] => plugins.filter((plugin) => plugin[point] !== undefined);
  return Object.fromEntries(pluginPoints.map((point) => [point, at(point)])) as unknown as PluginPoints;
}
