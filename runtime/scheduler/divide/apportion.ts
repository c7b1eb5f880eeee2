// A whole number of things -> whole shares by weight, each within its bounds: the method of the largest remainder. Pure.
//
// (APP-1) The shares add up to the total, or every part with a weight is at its maximum.
// (APP-2) A share is its exact quota rounded down or up, where no bound says otherwise.
// (APP-3) Who is rounded up: who has that many already, so that as little as possible moves; then the largest remainder; then by key.
// (APP-4) Exact for every int32: products are not rounded.

import { compareText } from "#std/compare-text.ts";
import { inOrder } from "#std/in-order.ts";

export interface Part {
  readonly key: string;
  /** Zero or a whole number; 0 gets no more than `min`. */
  readonly weight: number;
  readonly min?: number;
  readonly max?: number;
  /** What it has now. */
  readonly previous?: number;
}

/** At the index of `parts`. The sum of the minimums must not be above the total. */
export function apportion(total: number, parts: readonly Part[]): readonly number[] {
  const shares = parts.map(({ min = 0 }) => min);
  let free: number[] = [];
  let left = total;
  for (const [index, { weight, min = 0 }] of parts.entries())
    if (weight > 0) free.push(index);
    else left -= min;
  for (;;) {
    const bounded = outOfBounds(left, free, parts);
    if (bounded.length === 0) break;
    for (const [index, share] of bounded) shares[index] = share;
    const isBounded = new Set(bounded.map(([index]) => index));
    left -= sum(bounded.map(([, share]) => share));
    free = free.filter((index) => !isBounded.has(index));
  }
  for (const [index, share] of roundedQuotas(left, free, parts)) shares[index] = share;
  return shares;
}

type Bounded = readonly [index: number, share: number];

/**
 * Parts whose quota is outside of their bounds, with the bound. Only those of one side at a time: what a minimum takes may bring another
 * part below its maximum, and the other way round.
 */
function outOfBounds(total: number, free: readonly number[], parts: readonly Part[]): readonly Bounded[] {
  const weight = sumOf(free, (index) => parts[index]?.weight ?? 0);
  const below: Bounded[] = [];
  const above: Bounded[] = [];
  let balance = 0n;
  for (const index of free) {
    const part = parts[index];
    if (part === undefined) continue;
    const { min = 0, max = Infinity } = part;
    if (min === 0 && max === Infinity) continue;
    const quota = BigInt(total) * BigInt(part.weight);
    const excess = (bound: number): bigint => BigInt(bound) * BigInt(weight) - quota;
    if (min > 0 && excess(min) > 0n) {
      below.push([index, min]);
      balance += excess(min);
    } else if (max !== Infinity && excess(max) < 0n) {
      above.push([index, max]);
      balance += excess(max);
    }
  }
  if (balance > 0n) return below;
  return balance < 0n ? above : [...below, ...above];
}

/** A quota that is no whole number. */
interface Fraction {
  readonly index: number;
  readonly key: string;
  readonly floor: number;
  readonly remainder: number;
  readonly hasMore: boolean;
}

function roundedQuotas(total: number, free: readonly number[], parts: readonly Part[]): readonly Bounded[] {
  const weight = sumOf(free, (index) => parts[index]?.weight ?? 0);
  const shares: Bounded[] = [];
  const fractions: Fraction[] = [];
  let missing = total;
  for (const index of free) {
    const part = parts[index];
    if (part === undefined) continue;
    const { floor, remainder } = quotaOf(total, part.weight, weight);
    missing -= floor;
    const { key, previous = 0 } = part;
    if (remainder > 0) fractions.push({ index, key, floor, remainder, hasMore: previous > floor });
    if (floor > 0) shares.push([index, floor]);
  }
  const roundedUp = inOrder(fractions, whoIsRoundedUp).take(Math.max(0, missing));
  return [...shares, ...roundedUp.map(({ index, floor }): Bounded => [index, floor + 1])];
}

function whoIsRoundedUp(a: Fraction, b: Fraction): number {
  return Number(b.hasMore) - Number(a.hasMore) || b.remainder - a.remainder || compareText(a.key, b.key);
}

/** total × weight ÷ all. */
function quotaOf(total: number, weight: number, all: number): { readonly floor: number; readonly remainder: number } {
  const product = total * weight;
  if (product <= Number.MAX_SAFE_INTEGER) return { floor: Math.floor(product / all), remainder: product % all };
  const [exact, divisor] = [BigInt(total) * BigInt(weight), BigInt(all)];
  return { floor: Number(exact / divisor), remainder: Number(exact % divisor) };
}

export function sumOf<T>(items: readonly T[], numberOf: (item: T) => number): number {
  let all = 0;
  for (const item of items) all += numberOf(item);
  return all;
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, each) => all + each, 0);
}
