// How many clusters may be silent before more replicas wait for them (`percentageOfClustersToTolerate`). Pure.

import { shortList } from "#std/short-list.ts";
import { sum } from "./apportion.ts";
import type { Capable } from "./by-capacity.ts";

/** Names in a message; the rest is a number. */
const SHOWN_MAX = 5;

interface Asked {
  readonly need: { readonly desiredReplicas: number };
  readonly clusters: readonly Capable[];
}

/** Why more replicas are not placed yet; undefined: enough clusters have answered, or nothing more is wanted. */
export function tooSilent(asked: readonly Asked[], percentageMax: number): string | undefined {
  const growing = asked.filter(({ need, clusters }) => need.desiredReplicas > sum(clusters.map(({ previous }) => previous)));
  const able = growing.flatMap(({ clusters }) => clusters.filter(({ unfit }) => unfit === undefined));
  const silent = new Map(
    able.flatMap(({ key, capacity }) => (capacity?.type === "silent" ? [[key, `${key}: ${capacity.reason}`] as const] : [])),
  );
  const all = new Set(able.map(({ key }) => key)).size;
  if (silent.size * 100 <= percentageMax * all) return undefined;
  const reasons = shortList([...silent.values()], SHOWN_MAX).join("; ");
  const share = `${String(silent.size)} of ${String(all)} clusters`;
  return `${share} have not said how many replicas they could take, more than percentageOfClustersToTolerate (${String(percentageMax)}): ${reasons}`;
}
