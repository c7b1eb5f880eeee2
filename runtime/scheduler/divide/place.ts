// Replicas put into clusters that have room, or taken back: spread in proportion, or packed into the best. Pure.

import { inOrder } from "#std/in-order.ts";
import { apportion, sumOf } from "./apportion.ts";
import { byRank, type Place, type Placing } from "./places.ts";
import { placeByTopology, takeByTopology } from "./topology.ts";

/** What each gets, at the index of `places`: at most its room, and no more than `wanted` in all. */
export function place(wanted: number, places: readonly Place[], { strategy, constraints }: Placing): readonly number[] {
  if (wanted <= 0) return places.map(() => 0);
  if (constraints.length === 0) return fill(wanted, places, strategy);
  return inGroups(places, {
    amounts: placeByTopology(wanted, places, { strategy, constraints }),
    within: (amount, group) => fill(amount, group, strategy),
  });
}

/** What each gives, at the index of `places`: never below its floor. */
export function take(unwanted: number, places: readonly Place[], { strategy, constraints }: Placing): readonly number[] {
  if (unwanted <= 0) return places.map(() => 0);
  if (constraints.length === 0) return drain(unwanted, places, strategy);
  return inGroups(places, {
    amounts: takeByTopology(unwanted, places, constraints),
    within: (amount, group) => drain(amount, group, strategy),
  });
}

interface Groups {
  /** By what the places of a group have in common. */
  readonly amounts: readonly { readonly places: readonly Place[]; readonly amount: number }[];
  readonly within: (amount: number, group: readonly Place[]) => readonly number[];
}

function inGroups(places: readonly Place[], { amounts, within }: Groups): readonly number[] {
  const byKey = new Map<string, number>();
  for (const { places: group, amount } of amounts)
    for (const [index, share] of within(amount, group).entries()) byKey.set(group[index]?.key ?? "", share);
  return places.map(({ key }) => byKey.get(key) ?? 0);
}

function fill(wanted: number, places: readonly Place[], strategy: Placing["strategy"]): readonly number[] {
  const fitting = Math.min(
    wanted,
    sumOf(places, ({ room }) => room),
  );
  if (strategy === "Binpack") return inTurn(fitting, places, { order: byRank, limit: ({ room }) => room });
  return apportion(
    fitting,
    places.map(({ key, room }) => ({ key, weight: room })),
  );
}

function drain(unwanted: number, places: readonly Place[], strategy: Placing["strategy"]): readonly number[] {
  const spare = ({ now, floor }: Place): number => Math.max(0, now - floor);
  const giving = Math.min(unwanted, sumOf(places, spare));
  if (strategy === "Binpack") return inTurn(giving, places, { order: (a, b) => byRank(b, a), limit: spare });
  const parts = places.map(({ key, now, floor }) => ({ key, weight: now, min: Math.min(now, floor), max: now, previous: now }));
  const left = apportion(sumOf(places, ({ now }) => now) - giving, parts);
  return places.map(({ now }, index) => now - (left[index] ?? 0));
}

interface Turn {
  readonly order: (a: Place, b: Place) => number;
  readonly limit: (one: Place) => number;
}

/** One after the other, each up to its limit. */
function inTurn(amount: number, places: readonly Place[], { order, limit }: Turn): readonly number[] {
  const shares = new Map<string, number>();
  let left = amount;
  for (const one of inOrder(places, order)) {
    if (left === 0) break;
    const share = Math.min(left, limit(one));
    shares.set(one.key, share);
    left -= share;
  }
  return places.map(({ key }) => shares.get(key) ?? 0);
}
