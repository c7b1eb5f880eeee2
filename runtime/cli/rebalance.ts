// `kubectl clusternet rebalance`: shows what would be placed better by now, and confirms it; the scheduler carries it out.

import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { annotations, conditionTypes } from "#api/names.ts";
import type { Client } from "#kube/client.ts";
import { findCondition, rfc3339 } from "#kube/conditions.ts";
import { keyOf, keyTextOf } from "#kube/object.ts";
import { patchMetadataIfChanged } from "#kube/write-if-changed.ts";
import { isDividedByCapacity } from "#scheduler/capacity-questions.ts";
import type { FailoverInput } from "#scheduler/failover/plan.ts";
import { planFor, SHOW } from "#scheduler/rebalance/rebalance.ts";
import { rebalanceText, type ShownPlan } from "#scheduler/rebalance/rebalance-text.ts";
import { realClock } from "#std/clock.ts";
import { liveInput, type PlacementFlags } from "./explain-placement.ts";
import { Problem } from "./problem.ts";

export interface RebalanceFlags extends PlacementFlags {
  /** undefined: every one of the namespace. */
  readonly subscription?: string;
  readonly namespace: string;
  /** The scheduler plans, instead of this command. */
  readonly ask: boolean;
  /** The hash of a plan that was shown. */
  readonly confirm?: string;
  /** Confirms what is shown. */
  readonly yes: boolean;
}

/** The scheduler answers in a moment, or is not there. */
const ANSWER_MS_MAX = 20_000;
const ANSWER_POLL_MS = 300;

/** Resolves to what to print. */
export async function rebalance(client: Client, flags: RebalanceFlags, signal: AbortSignal): Promise<string> {
  if (flags.subscription === undefined) return await rebalanceAll(client, flags, signal);
  const subscription = await get(client, { namespace: flags.namespace, name: flags.subscription }, signal);
  if (flags.confirm !== undefined) return `${await confirm(client, { subscription, hash: flags.confirm }, signal)}\n`;
  const shown = await shownPlan(client, { subscription, flags }, signal);
  const said = await confirmed(client, { subscription, shown, flags }, signal);
  if (flags.output === "json") return `${JSON.stringify({ ...shown, ...(said === undefined ? {} : { said }) }, null, 2)}\n`;
  return `${[...rebalanceText(shown), ...(said === undefined ? [] : [said])].join("\n")}\n`;
}

async function rebalanceAll(client: Client, flags: RebalanceFlags, signal: AbortSignal): Promise<string> {
  if (flags.confirm !== undefined) throw new Problem("--confirm is for one Subscription", "Name it, or confirm all with --yes");
  const { items } = await client.list(Subscription, { namespace: flags.namespace }, signal);
  const plans: (ShownPlan & { readonly said?: string })[] = [];
  for (const subscription of items) {
    const shown = await shownPlan(client, { subscription, flags }, signal);
    const said = await confirmed(client, { subscription, shown, flags }, signal);
    plans.push({ ...shown, ...(said === undefined ? {} : { said }) });
  }
  if (flags.output === "json") return `${JSON.stringify(plans, null, 2)}\n`;
  const lines = plans.flatMap((shown) => [...rebalanceText(shown), ...(shown.said === undefined ? [] : [shown.said])]);
  return `${lines.length === 0 ? `There is no Subscription in ${flags.namespace}` : lines.join("\n")}\n`;
}

async function get(
  client: Client,
  key: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<Subscription> {
  const subscription = await client.get(Subscription, key, signal);
  if (subscription !== undefined) return subscription;
  const fix = "Name its namespace with -n; kubectl get subscriptions -A lists them";
  throw new Problem(`There is no Subscription ${key.namespace}/${key.name}`, fix);
}

interface Asked {
  readonly subscription: Subscription;
  readonly flags: RebalanceFlags;
}

async function shownPlan(client: Client, { subscription, flags }: Asked, signal: AbortSignal): Promise<ShownPlan> {
  const key = keyTextOf(subscription);
  const { rebalance: known } = subscription.status ?? {};
  if (known?.phase === "CarryingOut") return { subscription: key, by: "scheduler", progress: known, ...movesOf(known) };
  if (flags.ask) {
    const answered = await request(client, { subscription, what: SHOW }, signal);
    const { rebalance: planned } = answered.status ?? {};
    const { reasons = [] } = planned ?? {};
    return {
      subscription: key,
      by: "scheduler",
      ...movesOf(planned),
      reasons: reasons.length > 0 ? reasons : [saidOf(answered)],
    };
  }
  const input = await liveInput(client, { subscription, flags }, signal);
  const unknown = whyUnknown(subscription, input);
  const { isBlocked: _isBlocked, ...plan } = planFor(subscription, input);
  return { subscription: key, by: "this command", ...plan, ...(unknown === undefined ? {} : { unknown }) };
}

function movesOf(
  status: NonNullable<Subscription["status"]>["rebalance"],
): Pick<ShownPlan, "hash" | "moves" | "replacements" | "reasons"> {
  const { hash = "", moves = [], replacements = [], reasons = [] } = status ?? {};
  return { hash, moves, replacements, reasons };
}

/** Nobody told what fits: then a plan says nothing. */
function whyUnknown(subscription: Subscription, { capacities, needs = [] }: FailoverInput): string | undefined {
  if (!isDividedByCapacity(subscription)) return undefined;
  const bound = subscription.status?.bindingClusters ?? [];
  const answers = bound.flatMap((key) => needs.map(({ feed }) => capacities?.of(key, feed)));
  if (answers.some((answer) => answer?.type === "fits")) return undefined;
  const silent = answers.find((answer) => answer?.type === "silent");
  return silent?.type === "silent" ? silent.reason : "nobody was asked";
}

interface Confirmable {
  readonly subscription: Subscription;
  readonly shown: ShownPlan;
  readonly flags: RebalanceFlags;
}

async function confirmed(
  client: Client,
  { subscription, shown, flags }: Confirmable,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!flags.yes || shown.hash === "" || shown.progress !== undefined) return undefined;
  return await confirm(client, { subscription, hash: shown.hash }, signal);
}

async function confirm(
  client: Client,
  { subscription, hash }: { readonly subscription: Subscription; readonly hash: string },
  signal: AbortSignal,
): Promise<string> {
  const answered = await request(client, { subscription, what: hash }, signal);
  const { phase, hash: now } = answered.status?.rebalance ?? {};
  if (now === hash && (phase === "CarryingOut" || phase === "Done")) return `confirmed: ${saidOf(answered)}`;
  throw new Problem(
    `${keyTextOf(answered)} is not rebalanced: ${saidOf(answered)}`,
    "Look at the plan once more, and confirm its hash",
  );
}

function saidOf({ status }: Subscription): string {
  return findCondition(status?.conditions, conditionTypes.balanced)?.message ?? "the scheduler has said nothing";
}

/** Resolves when the scheduler has answered, or has had time to. */
async function request(
  client: Client,
  { subscription, what }: { readonly subscription: Subscription; readonly what: string },
  signal: AbortSignal,
): Promise<Subscription> {
  // The same may be asked again: the time makes it another request.
  const said = `${what} ${rfc3339(realClock.now())}`;
  const key = keyOf(subscription);
  const live = await client.get(Subscription, key, signal);
  const object = live ?? subscription;
  await patchMetadataIfChanged(client, { type: Subscription, object, annotations: { [annotations.rebalance]: said } }, signal);
  const until = realClock.monotonic() + ANSWER_MS_MAX;
  while (realClock.monotonic() < until) {
    await realClock.sleep(ANSWER_POLL_MS, signal);
    const answered = await client.get(Subscription, key, signal);
    if (answered?.status?.rebalance?.answered === said) return answered;
  }
  const found = (await client.get(Subscription, key, signal)) ?? object;
  throw new Problem(
    `The scheduler has not answered for ${keyTextOf(found)} yet: ${saidOf(found)}`,
    "The request stands; look at condition Balanced of the Subscription, and whether its scheduler runs",
  );
}
