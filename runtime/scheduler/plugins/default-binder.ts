// bind: writes the decision into the Subscription's status.

import type { Plugin } from "#scheduler/plugin.ts";

export const defaultBinder: Plugin = {
  name: "DefaultBinder",
  bind: async ({ writeStatus }, signal) => {
    await writeStatus(signal);
    return { type: "bound" };
  },
};
