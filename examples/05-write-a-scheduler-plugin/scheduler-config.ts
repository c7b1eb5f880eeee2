// What config.yaml says, as a value of the program: checked by `pulumi preview`.

import type { SchedulerArgs } from "pulumi-clusternet";

export const schedulerConfig: NonNullable<SchedulerArgs["config"]> = {
  modules: ["./cheapest.ts"],
  profiles: [
    { schedulerName: "default" },
    {
      schedulerName: "thrifty",
      plugins: { score: { enabled: [{ name: "Cheapest", weight: 10 }] } },
      pluginConfig: [{ name: "Cheapest", args: { label: "example.com/price" } }],
    },
  ],
};
