// How much a change may delete before it stops and asks: a typo in a selector or a lost label must not empty a fleet. Pure.
//
// The unit is one feed in one cluster. What a plan deletes counts together with what was deleted in the last ten minutes.
//
// (BUD-1) A change of a Subscription (unbound clusters, dropped feeds) that deletes more than a handful and more than
//         spec.delivery.maxDeletePercent of what it delivers waits, until its annotation names this very plan.
// (BUD-2) So does one that brings the fleet over its share. Once blocked a plan stays blocked: only a confirmation or another plan helps.
// (BUD-3) Deleting the Subscription itself says exactly what to delete: its own share never blocks it. It waits only while others have
//         used up the fleet's share, as when a whole namespace of Subscriptions goes, which slows that down until somebody looks.
// (BUD-4) A confirmation names what it covers. It is noted at every Base before the first one goes, so that a restart in between
//         finds it, and an old one covers nothing new.

import type { Base } from "#api/apps/v1alpha1/base.ts";
import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { annotations, conditionTypes } from "#api/names.ts";
import { policyOf } from "#delivery/policy.ts";
import { findCondition } from "#kube/conditions.ts";
import { canonicalHash } from "#std/canonical-json.ts";
import { compareText } from "#std/compare-text.ts";
import type { BaseAction } from "./plan.ts";

/** Nobody is asked about so few, whatever their share: small fleets change like that every day. */
const FREE_OF_SUBSCRIPTION = 10;
const FREE_OF_FLEET = 100;

export interface Deleted {
  readonly ofSubscription: number;
  readonly ofFleet: number;
}

export interface BudgetInput {
  readonly actions: readonly BaseAction[];
  /** The Subscription's Bases. */
  readonly bases: readonly Base[];
  /** Feeds in clusters, of all Subscriptions. */
  readonly fleetSize: number;
  /** Of the fleet; 100 never blocks. */
  readonly fleetPercentMax: number;
  /** In the last ten minutes. */
  readonly recent: Deleted;
}

export type DeletionBlockedReason =
  | "OverSubscriptionShare"
  | "OverFleetShare"
  /** Nothing changed since it was over a share, but the time. */
  | "BlockedBefore";

export type BudgetVerdict =
  | { readonly type: "free" }
  /** Confirmed: note it at these Bases, then go on. */
  | { readonly type: "confirmed"; readonly plan: string; readonly bases: readonly Base[] }
  | { readonly type: "blocked"; readonly plan: string; readonly reason: DeletionBlockedReason; readonly message: string };

export function planBudget(subscription: Subscription, input: BudgetInput): BudgetVerdict {
  const doomed = input.actions.flatMap(doomedBy);
  if (doomed.length === 0) return { type: "free" };
  const confirmation = subscription.metadata.annotations?.[annotations.confirmDeletion];
  const pending = doomed.filter(
    ({ base }) => confirmation === undefined || base.metadata.annotations?.[annotations.deletionConfirmed] !== confirmation,
  );
  if (pending.length === 0) return { type: "free" };
  const plan = nameOf(doomed);
  if (confirmation === plan) return { type: "confirmed", plan, bases: pending.map(({ base }) => base) };
  const over = overShare(subscription, { ...input, pending });
  if (over === undefined) {
    const message = stillBlocked(subscription, plan);
    return message === undefined ? { type: "free" } : { type: "blocked", plan, reason: "BlockedBefore", message };
  }
  const { namespace = "", name } = subscription.metadata;
  const how = `kubectl annotate subscription -n ${namespace} ${name} --overwrite ${annotations.confirmDeletion}=${plan}`;
  const message = `Would delete ${sizeText(pending)}: ${over.message}. Nothing of it is deleted. To go on: ${how}`;
  return { type: "blocked", plan, reason: over.reason, message };
}

/** Feeds in clusters that an action takes away. */
export function sizeOf(action: BaseAction): number {
  return doomedBy(action).reduce((sum, { feeds }) => sum + feeds.length, 0);
}

export function deletesSomething(action: BaseAction): boolean {
  return doomedBy(action).length > 0;
}

interface Doomed {
  readonly base: Base;
  readonly feeds: readonly Feed[];
}

function doomedBy(action: BaseAction): readonly Doomed[] {
  switch (action.type) {
    case "create":
      return [];
    case "delete":
      return [{ base: action.base, feeds: action.base.spec.feeds }];
    case "update": {
      const stay = new Set(action.base.spec.feeds.map(feedKey));
      const feeds = action.current.spec.feeds.filter((feed) => !stay.has(feedKey(feed)));
      return feeds.length === 0 ? [] : [{ base: action.current, feeds }];
    }
    default:
      return action satisfies never;
  }
}

function overShare(
  subscription: Subscription,
  { pending, bases, fleetSize, fleetPercentMax, recent }: BudgetInput & { readonly pending: readonly Doomed[] },
): { readonly reason: DeletionBlockedReason; readonly message: string } | undefined {
  const count = pending.reduce((sum, { feeds }) => sum + feeds.length, 0);
  const isDeleting = subscription.metadata.deletionTimestamp !== undefined;
  const { maxDeletePercent } = policyOf(subscription.spec);
  const own = { count: count + recent.ofSubscription, of: sizeOfBases(bases) + recent.ofSubscription };
  if (!isDeleting && own.count > FREE_OF_SUBSCRIPTION && isOver(own, maxDeletePercent)) {
    const message = `${shareText(own)} of what this Subscription delivers, more than ${String(maxDeletePercent)} %`;
    return { reason: "OverSubscriptionShare", message };
  }
  const others = recent.ofFleet - recent.ofSubscription;
  const fleet = { count: isDeleting ? others : recent.ofFleet + count, of: fleetSize + recent.ofFleet };
  if (fleet.count <= FREE_OF_FLEET || !isOver(fleet, fleetPercentMax)) return undefined;
  const who = isDeleting ? "what others deleted in the last ten minutes is" : "with what was deleted in the last ten minutes";
  return { reason: "OverFleetShare", message: `${who} ${shareText(fleet)} of the fleet, more than ${String(fleetPercentMax)} %` };
}

/** BUD-2: time alone must not let a mistake through, piece by piece. What was said then; a new spec is looked at anew. */
function stillBlocked({ metadata, status }: Subscription, plan: string): string | undefined {
  const blocked = findCondition(status?.conditions, conditionTypes.deletionBlocked);
  const isDeleting = metadata.deletionTimestamp !== undefined;
  if (isDeleting || blocked?.status !== "True" || blocked.observedGeneration !== (metadata.generation ?? 0)) return undefined;
  return blocked.message.endsWith(`=${plan}`) ? blocked.message : undefined;
}

function nameOf(doomed: readonly Doomed[]): string {
  return canonicalHash(
    doomed.map(({ base, feeds }) => [base.metadata.uid ?? "", feeds.map(feedKey).toSorted()]).toSorted(byText),
  ).slice(0, 10);
}

function byText(a: unknown, b: unknown): number {
  return compareText(JSON.stringify(a), JSON.stringify(b));
}

export function sizeOfBases(bases: readonly Base[]): number {
  return bases.reduce((sum, { spec, metadata }) => (metadata.deletionTimestamp === undefined ? sum + spec.feeds.length : sum), 0);
}

interface Share {
  readonly count: number;
  readonly of: number;
}

function isOver({ count, of }: Share, percentMax: number): boolean {
  return count * 100 > percentMax * of;
}

function shareText({ count, of }: Share): string {
  return `${String(count)} of ${String(of)} (${String(of === 0 ? 100 : Math.round((count * 100) / of))} %)`;
}

function sizeText(pending: readonly Doomed[]): string {
  const feeds = pending.reduce((sum, each) => sum + each.feeds.length, 0);
  const clusters = new Set(pending.map(({ base }) => base.metadata.namespace)).size;
  return `${String(feeds)} ${feeds === 1 ? "object" : "objects"} in ${String(clusters)} ${clusters === 1 ? "cluster" : "clusters"}`;
}
