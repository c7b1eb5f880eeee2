// A scheduler plugin: the less a cluster costs, the better. The label that it reads holds the price; who has none is as dear as the dearest.

import type { Plugin, PluginModule } from "pulumi-clusternet/scheduler-plugin";

/** Which contract this module was written for: docs/contracts/scheduler-plugin.md. */
export const contractVersion = 1 satisfies PluginModule["contractVersion"];

export const plugins: PluginModule["plugins"] = { Cheapest: (args) => cheapest(labelOf(args)) };

function cheapest(label: string): Plugin {
  return {
    name: "Cheapest",
    score: ({ cluster }) => {
      const price = Number(cluster.labels[label]);
      return Number.isFinite(price) && price >= 0 ? price : UNKNOWN;
    },
    // 0..100, higher is better: the cheapest gets 100, the dearest 0.
    normalise: ({ scores }) => {
      const known = [...scores.values()].filter((price) => price !== UNKNOWN);
      const [least, most] = [Math.min(...known), Math.max(...known)];
      const points = (price: number): number => {
        if (price === UNKNOWN) return 0;
        return most === least ? 100 : (100 * (most - price)) / (most - least);
      };
      return new Map([...scores].map(([cluster, price]) => [cluster, points(price)]));
    },
  };
}

const UNKNOWN = -1;

/** `pluginConfig[].args` of the configuration; what is thrown here is said when the scheduler starts. */
function labelOf(args: unknown): string {
  const { label = "example.com/price" } = (args ?? {}) as { readonly label?: unknown };
  if (typeof label !== "string") throw new Error("label must be the name of a label, such as example.com/price");
  return label;
}
