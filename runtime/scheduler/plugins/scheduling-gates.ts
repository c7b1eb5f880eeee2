// preFilter: nothing is decided while somebody holds a gate closed; who removes the last entry opens it. Pure.

import type { Plugin } from "#scheduler/plugin.ts";

/** Closed set of one, for the reference of reasons. */
type GateReason = "SchedulingGated"; // spec.schedulingGates is not empty

export const schedulingGates: Plugin = {
  name: "SchedulingGates",
  preFilter: ({ subscription: { spec } }) => {
    const gates = (spec.schedulingGates ?? []).map(({ name }) => name);
    if (gates.length === 0) return { type: "ok" };
    const reason: GateReason = "SchedulingGated";
    return { type: "wait", reason, message: `Waits for ${gates.join(", ")} to be removed from spec.schedulingGates` };
  },
};
