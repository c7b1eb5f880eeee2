// score: the fewer other Subscriptions are bound to a cluster, the better. Pure.

import type { Plugin } from "#scheduler/plugin.ts";

export const leastBound: Plugin = {
  name: "LeastBound",
  preScore: ({ candidates }) => new Set(candidates.filter(({ wasBound }) => wasBound).map(({ cluster }) => cluster.key)),
  score: ({ cluster, bindings, prepared }) => {
    const bound = prepared as ReadonlySet<string>;
    // Its own binding says nothing: who is bound already would look fuller for it.
    return Math.max(0, bindings.of(cluster.key) - (bound.has(cluster.key) ? 1 : 0));
  },
  scale: "fewer-is-better",
};
