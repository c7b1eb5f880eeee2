// How long plugins take: those that are not built in at every point, and every plugin where it may wait.
//
// (TIM-1) Points that are asked for each cluster are added up and told once for each decision: a large fleet costs two looks at the clock
//         for each call, and nothing else. Plugins that are built in are timed by point only (measures.ts).

import { pluginPoints } from "#api/scheduler-config.ts";
import type { Clock } from "#std/clock.ts";
import type { Metrics } from "#std/metrics.ts";
import { defaultPlugins } from "./default-plugins.ts";
import { waitingPoints } from "./plugin-guard.ts";
import type { Plugin } from "./plugin.ts";
import type { PluginPoints, Profile } from "./profile.ts";

export interface PluginTimes {
  /** The same profile, the same one each time; what its plugins take is measured. */
  readonly timed: (profile: Profile) => Profile;
  /** A decision is over. */
  readonly tell: () => void;
}

type Method = (input: unknown, signal?: AbortSignal) => unknown;

const points: readonly string[] = [...pluginPoints, "normalise", "unreserve"];

export function createPluginTimes(metrics: Metrics, clock: Clock): PluginTimes {
  const seconds = metrics.histogram({
    name: "clusternet_scheduler_plugin_duration_seconds",
    help: "Time that a plugin takes at a point; where it must answer at once, for all clusters of a decision together, and only of plugins that are not built in",
    labels: ["plugin", "point"],
    buckets: [0.000_01, 0.000_1, 0.001, 0.01, 0.1, 1, 10],
  });
  const sums = new Map<string, { readonly labels: { readonly plugin: string; readonly point: string }; milliseconds: number }>();

  function added({ name }: Plugin, point: string, method: Method): Method {
    const key = `${name} ${point}`;
    const labels = { plugin: name, point };
    return (input) => {
      const startedAt = clock.monotonic();
      try {
        return method(input);
      } finally {
        const milliseconds = clock.monotonic() - startedAt;
        const sum = sums.get(key);
        if (sum === undefined) sums.set(key, { labels, milliseconds });
        else sum.milliseconds += milliseconds;
      }
    };
  }

  function awaited({ name }: Plugin, point: string, method: Method): Method {
    return async (input, signal) => {
      const startedAt = clock.monotonic();
      try {
        return await method(input, signal);
      } finally {
        seconds.observe({ plugin: name, point }, (clock.monotonic() - startedAt) / 1_000);
      }
    };
  }

  function wrapped(plugin: Plugin): Plugin {
    const isBuiltIn = defaultPlugins.includes(plugin);
    const members = points.flatMap((point) => {
      const own: unknown = Reflect.get(plugin, point);
      if (typeof own !== "function" || (isBuiltIn && !waitingPoints.has(point))) return [];
      const method: Method = (input, signal) => (own as Method).call(plugin, input, signal);
      return [[point, waitingPoints.has(point) ? awaited(plugin, point, method) : added(plugin, point, method)] as const];
    });
    return members.length === 0 ? plugin : { ...plugin, ...Object.fromEntries(members) };
  }

  const profiles = new WeakMap<Profile, Profile>();
  return {
    timed: (profile) => {
      const known = profiles.get(profile);
      if (known !== undefined) return known;
      const made = withEach(profile, wrapped);
      profiles.set(profile, made);
      return made;
    },
    tell: () => {
      for (const { labels, milliseconds } of sums.values()) seconds.observe(labels, milliseconds / 1_000);
      sums.clear();
    },
  };
}

/** A plugin is the same object at all of its points. */
function withEach(profile: Profile, wrap: (plugin: Plugin) => Plugin): Profile {
  const wrapped = new Map<Plugin, Plugin>();
  const once = (plugin: Plugin): Plugin => {
    const made = wrapped.get(plugin) ?? wrap(plugin);
    wrapped.set(plugin, made);
    return made;
  };
  const plugins = pluginPoints.map((point) => [point, profile.plugins[point].map(once)] as const);
  return { ...profile, plugins: Object.fromEntries(plugins) as unknown as PluginPoints };
}
