// The deletion budget, as stories: test/golden/controllers/deletion-budget.md.

import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { Base } from "#api/apps/v1alpha1/base.ts";
import type { Feed } from "#api/apps/v1alpha1/feed.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { testGolden } from "#test/framework/golden.ts";
import { planBudget, sizeOf, type BudgetInput, type BudgetVerdict } from "./deletion-budget.ts";
import { DeletionLog, WINDOW_MS } from "./deletion-log.ts";
import type { BaseAction } from "./plan.ts";

interface Story {
  readonly clusters?: number;
  readonly unbind?: number;
  readonly drop?: number;
  readonly maxDeletePercent?: number;
  readonly deletedLately?: number;
  readonly othersDeletedLately?: number;
  readonly othersDeliver?: number;
  readonly confirmed?: "this plan" | "another plan";
  readonly wasBlocked?: "this plan" | "another plan";
  readonly noted?: number;
  readonly deleting?: boolean;
}

const feeds: readonly Feed[] = ["a", "b", "c"].map((name) => ({ apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name }));

function basesOf({ clusters = 8, noted = 0 }: Story, mark: string): readonly Base[] {
  return Array.from({ length: clusters }, (_, index) => ({
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "Base",
    metadata: {
      namespace: `child-${String(index)}`,
      name: "web.shop",
      uid: `uid-${String(index)}`,
      ...(index < noted ? { annotations: { "apps.clusternet.io/deletion-confirmed": mark } } : {}),
    },
    spec: { feeds },
  }));
}

function inputOf(story: Story, mark = ""): BudgetInput {
  const bases = basesOf(story, mark);
  const reason = "";
  const { unbind = 0, drop = 0, deletedLately = 0, othersDeletedLately = 0, othersDeliver = 1000 } = story;
  const actions: BaseAction[] = bases.slice(0, unbind).map((base) => ({ type: "delete", base, reason }));
  for (const current of drop === 0 ? [] : bases) {
    actions.push({ type: "update", base: { ...current, spec: { feeds: feeds.slice(drop) } }, current, reason });
  }
  const recent = { ofSubscription: deletedLately, ofFleet: deletedLately + othersDeletedLately };
  return { actions, bases, fleetSize: othersDeliver + bases.length * feeds.length, fleetPercentMax: 30, recent };
}

function subscriptionOf(story: Story, { confirmation, blocked }: { confirmation?: string; blocked?: string }): Subscription {
  const { maxDeletePercent, deleting = false } = story;
  const message = `To go on: x=${blocked ?? ""}`;
  return {
    metadata: {
      namespace: "shop",
      name: "web",
      ...(confirmation === undefined ? {} : { annotations: { "apps.clusternet.io/confirm-deletion": confirmation } }),
      ...(deleting ? { deletionTimestamp: "2030-01-01T00:00:00Z" } : {}),
    },
    spec: { ...(maxDeletePercent === undefined ? {} : { delivery: { maxDeletePercent } }) },
    status: {
      conditions: blocked === undefined ? [] : [{ type: "DeletionBlocked", status: "True", message, observedGeneration: 0 }],
    },
  } as unknown as Subscription;
}

/** The name that a plan has when it is blocked. */
function planOf(story: Story): string {
  const verdict = planBudget(subscriptionOf({ maxDeletePercent: 0 }, {}), {
    ...inputOf(story),
    recent: { ofSubscription: 99, ofFleet: 99 },
  });
  if (verdict.type !== "blocked") throw new Error("It was not blocked");
  return verdict.plan;
}

function told(story: Story): BudgetVerdict {
  const plan = planOf(story);
  const named = (which: Story["confirmed"]): string | undefined =>
    which === undefined ? undefined : which === "this plan" ? plan : "0123456789";
  const confirmation = named(story.confirmed);
  const blocked = named(story.wasBlocked);
  const names = { ...(confirmation === undefined ? {} : { confirmation }), ...(blocked === undefined ? {} : { blocked }) };
  return planBudget(subscriptionOf(story, names), inputOf(story, plan));
}

testGolden("controllers/deletion-budget.md", (lines) => {
  const story = parse(lines.join("\n")) as Story;
  const verdict = told(story);
  switch (verdict.type) {
    case "free":
      return [`delete ${String(inputOf(story).actions.reduce((sum, action) => sum + sizeOf(action), 0))}`];
    case "confirmed":
      return [`confirmed at ${String(verdict.bases.length)} Bases`];
    case "blocked":
      return [`blocked ${verdict.reason}: ${verdict.message.replace(verdict.plan, "PLAN")}`];
  }
});

test("a plan has another name when it deletes something else, or the same again", () => {
  const plans = [{ unbind: 8 }, { unbind: 7 }, { drop: 2 }, { drop: 1 }].map((story) => planOf(story));
  expect(new Set(plans).size).toBe(4);
  const again = inputOf({ unbind: 8 });
  const remade = again.actions.map((action) => ({
    ...action,
    base: { ...action.base, metadata: { ...action.base.metadata, uid: `new-${action.base.metadata.uid!}` } },
  }));
  const verdict = planBudget(subscriptionOf({}, { confirmation: plans[0]! }), { ...again, actions: remade });
  expect(verdict.type).toBe("blocked");
});

test("what was deleted is counted for ten minutes", () => {
  const log = new DeletionLog();
  log.add({ at: 0, subscription: "a", base: "a1", count: 5 });
  log.add({ at: 1, subscription: "b", base: "b1", count: 7 });
  const recent = (now: number, planned: readonly string[] = []): unknown => log.recent({ subscription: "a", planned, now });
  expect(recent(WINDOW_MS - 1)).toEqual({ ofSubscription: 5, ofFleet: 12 });
  expect(recent(WINDOW_MS - 1, ["b1"])).toEqual({ ofSubscription: 5, ofFleet: 5 });
  expect(recent(WINDOW_MS)).toEqual({ ofSubscription: 0, ofFleet: 7 });
});
