// spec.failover and status.failover of a Subscription: whether, when and how its work leaves a cluster that does not work any more.

import * as z from "zod";

import { extension, type Immutable } from "#api/define-kind.ts";
import { timestamp } from "#api/fields.ts";

/** A day and more is an operation of people, not of a timer. */
const SECONDS_MAX = 7 * 24 * 60 * 60;

const seconds = z.int().min(0).max(SECONDS_MAX);

export const Failover = z
  .object({
    enabled: z
      .boolean()
      .optional()
      .describe("Whether work moves away from a cluster by itself. False (the default): only a live edit ends a binding.")
      .meta(extension),
    tolerationSeconds: seconds
      .optional()
      .describe(
        "Seconds that a NoExecute taint of a bound cluster is tolerated before its work moves, where no clusterToleration says otherwise; " +
          "default 300. A cluster gets such a taint when it is silent or says that it is not ready, and loses it when it works again.",
      )
      .meta(extension),
    eviction: z
      .enum(["Graceful", "Immediate"])
      .optional()
      .describe(
        "Graceful (the default) keeps the old cluster bound until what replaces it is Available there; Immediate unbinds it in the same " +
          "moment, for work of which there must never be two.",
      )
      .meta(extension),
    gracefulTimeoutSeconds: seconds
      .optional()
      .describe(
        "For Graceful: seconds after which the old cluster is unbound although its replacement is not Available; default 600.",
      )
      .meta(extension),
    withoutReplacement: z
      .enum(["Keep", "Unbind"])
      .optional()
      .describe(
        "What happens when no other cluster can take the work over, as when a Replication is in every matching cluster already. Keep (the " +
          "default) leaves it bound, Unbind takes it away all the same.",
      )
      .meta(extension),
    afterRecovery: z
      .enum(["Stay", "MoveBack"])
      .optional()
      .describe(
        "What happens when the old cluster works again. Stay (the default) leaves the work where it went, MoveBack returns it.",
      )
      .meta(extension),
  })
  .describe("Whether and how work leaves a cluster that does not work any more. Absent: it stays.")
  .meta(extension);
export type Failover = Immutable<z.output<typeof Failover>>;

const move = z.object({
  cluster: z.string().describe("namespace/name of the ManagedCluster that is left."),
  phase: z
    .enum(["Leaving", "Left", "Returning"])
    .describe(
      "Leaving: bound until its replacement is Available. Left: not bound any more; what is there is removed when it answers again. " +
        "Returning: it took over, works, and gives the work back as soon as that is Available in the old cluster.",
    ),
  since: timestamp.describe("When that began."),
  to: z.array(z.string()).optional().describe("Clusters that take over, as namespace/name; none: nobody could."),
  reason: z.string().describe("Why it is left."),
});
export type Move = Immutable<z.output<typeof move>>;

export const Moves = z.array(move).describe("Clusters that the work is leaving or has left because of failover.").meta(extension);
