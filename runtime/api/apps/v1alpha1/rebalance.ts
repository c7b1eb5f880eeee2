// spec.rebalance and status.rebalance of a Subscription: whether what runs is moved because it would be placed better by now, and how.

import * as z from "zod";

import { extension, type Immutable } from "#api/define-kind.ts";
import { int32, int64, timestamp } from "#api/fields.ts";

const WEEK_S = 7 * 24 * 60 * 60;

const percent = z.int().min(1).max(100);

export const Rebalance = z
  .object({
    policy: z
      .enum(["Never", "Show", "CarryOut"])
      .optional()
      .describe(
        "Never (the default) plans only on demand. Show plans at every interval and says what would be better. CarryOut also carries a " +
          "plan out that has been shown for shownForSeconds and is still the same.",
      )
      .meta(extension),
    intervalSeconds: z
      .int()
      .min(60)
      .max(WEEK_S)
      .optional()
      .describe("Seconds between two looks; default 3600. Subscriptions take turns within it.")
      .meta(extension),
    minMovePercent: percent
      .optional()
      .describe("A plan that moves a smaller share of a feed's replicas is none; default 10.")
      .meta(extension),
    maxMovePercent: percent
      .optional()
      .describe("The largest share of a feed's replicas that one step moves, at least one replica; default 25.")
      .meta(extension),
    shownForSeconds: z
      .int()
      .min(0)
      .max(WEEK_S)
      .optional()
      .describe("For CarryOut: seconds for which a plan is shown before; default 3600.")
      .meta(extension),
    stepTimeoutSeconds: z
      .int()
      .min(1)
      .max(WEEK_S)
      .optional()
      .describe(
        "Seconds in which what a step moved must be Available where it went; default 600. Otherwise the plan is stopped there.",
      )
      .meta(extension),
  })
  .describe(
    "Whether and how what runs is moved when it would be placed better by now. Absent: only on demand, with the defaults.",
  )
  .meta(extension);
export type Rebalance = Immutable<z.output<typeof Rebalance>>;

const move = z.object({
  feed: z.string().describe("Key of the feed, as in status.replicas."),
  from: z.string().describe("Cluster that gives, as namespace/name."),
  to: z.string().describe("Cluster that gets."),
  replicas: int32.describe("How many."),
  moved: int32.optional().describe("How many of them have been moved; absent: none."),
});
export type RebalanceMove = Immutable<z.output<typeof move>>;

const replacement = z.object({
  from: z.string().describe("Cluster that is left, as namespace/name."),
  to: z.string().describe("Cluster that is bound instead."),
  phase: z
    .enum(["Begun", "Done"])
    .optional()
    .describe(
      "Absent: not begun. Begun: both are bound until everything is Available in the new one. Done: the old one is left.",
    ),
});
export type Replacement = Immutable<z.output<typeof replacement>>;

export const Rebalancing = z
  .object({
    phase: z
      .enum(["Planned", "CarryingOut", "Done", "Stopped"])
      .describe("Planned: shown, nothing has moved. Stopped: what has moved stays where it is, the rest is not moved."),
    hash: z.string().describe("Names exactly these moves: what a confirmation says."),
    generation: int64.describe("Generation of the Subscription that was planned for; an edit ends the plan."),
    since: timestamp.describe("When this phase began."),
    moves: z.array(move).optional().describe("Replicas that move."),
    replacements: z.array(replacement).optional().describe("Clusters that are left for others."),
    reasons: z.array(z.string()).optional().describe("Why that is better."),
    waitingFor: z.array(z.string()).optional().describe("Clusters in which the last step has to be Available first."),
    steppedAt: timestamp.optional().describe("When the last step was taken."),
    message: z.string().optional().describe("Why it was stopped, or what it waits for."),
    answered: z
      .string()
      .optional()
      .describe("The request in the annotation apps.clusternet.io/rebalance that was answered last."),
  })
  .describe("What would be placed better by now, and how far moving it has come.")
  .meta(extension);
export type Rebalancing = Immutable<z.output<typeof Rebalancing>>;
