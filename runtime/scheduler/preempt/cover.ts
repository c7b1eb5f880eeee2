// Whose replicas go so that so much is free in one cluster. Pure.
//
// (COV-1) The lowest priorities first: a higher one gives only what all lower ones together cannot.
// (COV-2) Then as few Subscriptions, and of those as few replicas as it needs: not one replica more.

import { compareText } from "#std/compare-text.ts";
import { freedBy, minus, plus, times, wholesOf, type Amounts } from "./amounts.ts";
import type { Giver, Giving } from "./room.ts";

/** By priority, then by name: no plan depends on the order in which Subscriptions arrived. */
export function byGiver(a: Giver, b: Giver): number {
  const order = (one: Giver): readonly string[] => [one.subscription, one.cluster, one.feed];
  const [left, right] = [order(a), order(b)];
  const index = left.findIndex((text, at) => text !== right[at]);
  return a.priority - b.priority || (index === -1 ? 0 : compareText(left[index] ?? "", right[index] ?? ""));
}

/** undefined: all of them together do not free so much. */
export function cover(needed: Amounts, givers: readonly Giver[]): readonly Giving[] | undefined {
  const chosen: Giving[] = [];
  let missing = needed;
  for (const [, tier] of [...Map.groupBy(givers, ({ priority }) => priority)].toSorted(([a], [b]) => a - b)) {
    const free = new Set(tier.toSorted(byGiver));
    while (missing.size > 0) {
      const next = nextOf(missing, free);
      if (next === undefined) break;
      free.delete(next.giver);
      chosen.push(next);
      missing = minus(missing, freed(next));
    }
  }
  return missing.size > 0 ? undefined : withoutNeedless(chosen, needed);
}

export function freed({ giver, replicas }: Giving): Amounts {
  return times(freedBy(giver.request), replicas);
}

/** Who can do it alone, with the fewest replicas; else who does most of it. */
function nextOf(missing: Amounts, free: ReadonlySet<Giver>): Giving | undefined {
  let alone: Giving | undefined;
  let most: { readonly giving: Giving; readonly part: number } | undefined;
  for (const giver of free) {
    const replicas = replicasFor(missing, giver);
    if (replicas <= giver.replicas && replicas < (alone?.replicas ?? Infinity)) alone = { giver, replicas };
    const giving = { giver, replicas: giver.replicas };
    const part = partOf(missing, freed(giving));
    if (part > (most?.part ?? 0)) most = { giving, part };
  }
  return alone ?? most?.giving;
}

/** So many of its replicas free all that is missing; Infinity when they do not have it. */
function replicasFor(missing: Amounts, { request }: Giver): number {
  const each = freedBy(request);
  const counts = [...missing].map(([name, amount]) => {
    const one = each.get(name) ?? 0n;
    return one === 0n ? Infinity : Number((amount + one - 1n) / one);
  });
  return Math.max(...counts);
}

/** How much of what is missing, summed over the resources. */
function partOf(missing: Amounts, amounts: Amounts): number {
  const parts = [...missing].map(([name, amount]) => {
    const given = amounts.get(name) ?? 0n;
    return Number(((given < amount ? given : amount) * 1_000_000n) / amount);
  });
  return parts.reduce((sum, part) => sum + part, 0);
}

/** The highest priorities keep theirs first, then who was asked last. */
function withoutNeedless(chosen: readonly Giving[], needed: Amounts): readonly Giving[] {
  const order = chosen
    .map((_, index) => index)
    .toSorted((a, b) => (chosen[b]?.giver.priority ?? 0) - (chosen[a]?.giver.priority ?? 0) || b - a);
  const kept = chosen.map(({ replicas }) => replicas);
  for (const index of order) {
    const giving = chosen[index];
    if (giving === undefined) continue;
    const all = chosen.reduce<Amounts>((sum, { giver }, at) => plus(sum, freed({ giver, replicas: kept[at] ?? 0 })), new Map());
    kept[index] = giving.replicas - spareReplicas(giving, { all, needed });
  }
  return chosen.flatMap(({ giver }, index) => ((kept[index] ?? 0) > 0 ? [{ giver, replicas: kept[index] ?? 0 }] : []));
}

function spareReplicas(
  { giver, replicas }: Giving,
  { all, needed }: { readonly all: Amounts; readonly needed: Amounts },
): number {
  const relevant = new Map([...freedBy(giver.request)].filter(([name]) => needed.has(name)));
  return relevant.size === 0 ? replicas : Math.min(replicas, wholesOf(minus(all, needed), relevant));
}
