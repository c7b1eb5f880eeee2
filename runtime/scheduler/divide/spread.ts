// The places (region, zone, provider …) that topologySpreadConstraints tell clusters apart by, and how many replicas each has. Pure.

import { compareText } from "#std/compare-text.ts";
import { shortList } from "#std/short-list.ts";
import type { Constraint, Place } from "./places.ts";

/** Places in a message; the rest is a number. */
const SHOWN_MAX = 20;

/** All clusters with the same value of one label. */
export interface Domain {
  readonly name: string;
  count: number;
  /** Somebody in it has said what fits. */
  isKnown: boolean;
}

/** Clusters that every constraint takes for the same place. */
export interface Cell {
  readonly name: string;
  /** At the index of the constraints; undefined: the clusters have no such label. */
  readonly domains: readonly (Domain | undefined)[];
  readonly places: readonly Place[];
  /** Of its best cluster. */
  readonly score: number;
  amount: number;
  /** How many more it may get, or give. */
  left: number;
}

export interface Spread {
  readonly cells: readonly Cell[];
  /** At the index of the constraints. */
  readonly counts: readonly Counts[];
}

export function spreadOf(places: readonly Place[], constraints: readonly Constraint[], left: (one: Place) => number): Spread {
  const known = constraints.map(() => new Map<string, Domain>());
  const cells = new Map<string, Place[]>();
  const namesOf = ({ labels }: Place): readonly (string | undefined)[] =>
    constraints.map(({ topologyKey }) => (Object.hasOwn(labels, topologyKey) ? labels[topologyKey] : undefined));
  for (const one of places) {
    const names = namesOf(one);
    for (const [index, name] of names.entries()) count(one, name, known[index]);
    const cell = JSON.stringify(names);
    const group = cells.get(cell);
    if (group === undefined) cells.set(cell, [one]);
    else group.push(one);
  }
  return {
    cells: [...cells]
      .map(([name, group]): Cell => {
        const names = group[0] === undefined ? [] : namesOf(group[0]);
        return {
          name,
          domains: names.map((domain, index) => (domain === undefined ? undefined : known[index]?.get(domain))),
          places: group,
          score: group.reduce((most, { score }) => Math.max(most, score), 0),
          amount: 0,
          left: group.reduce((all, one) => all + left(one), 0),
        };
      })
      .toSorted((a, b) => compareText(a.name, b.name)),
    counts: constraints.map((constraint, index) => new Counts(constraint, index, [...(known[index]?.values() ?? [])])),
  };
}

function count({ now, isKnown }: Place, name: string | undefined, known: Map<string, Domain> | undefined): void {
  if (name === undefined || known === undefined) return;
  const domain = known.get(name);
  if (domain === undefined) known.set(name, { name, count: now, isKnown });
  else {
    domain.count += now;
    domain.isKnown ||= isKnown;
  }
}

/** Replicas per place of one constraint. */
export class Counts {
  readonly constraint: Constraint;
  readonly domains: readonly Domain[];
  readonly #index: number;
  readonly #known: readonly Domain[];
  #lowest: readonly [number, number] | undefined;

  constructor(constraint: Constraint, index: number, domains: readonly Domain[]) {
    this.constraint = constraint;
    this.domains = domains;
    this.#index = index;
    this.#known = domains.filter(({ isKnown }) => isKnown);
  }

  domainOf({ domains }: Cell): Domain | undefined {
    return domains[this.#index];
  }

  /** Of the cell's place; a cell in no place comes after all others. */
  of({ domains }: Cell): number {
    return domains[this.#index]?.count ?? Number.MAX_SAFE_INTEGER;
  }

  add({ domains }: Cell, amount: number): void {
    const domain = domains[this.#index];
    if (domain === undefined) return;
    domain.count += amount;
    this.#lowest = undefined;
  }

  /** How many more the cell may get by this constraint. */
  allowance(cell: Cell): number {
    const { isHard, maxSkew } = this.constraint;
    if (!isHard) return Infinity;
    const domain = this.domainOf(cell);
    if (domain === undefined) return 0;
    const [lowest, second] = this.#lowestTwo();
    const others = domain.count === lowest && domain.isKnown ? second : lowest;
    return this.#floor(others) + maxSkew - domain.count;
  }

  /** How many more each of these cells, which are on one level, may get when all of them do. */
  allowanceOfAll(level: readonly Cell[]): number {
    const { isHard, maxSkew } = this.constraint;
    const [first] = level;
    if (!isHard || first === undefined) return Infinity;
    const own = new Set(level.map((cell) => this.domainOf(cell)));
    let lowest = Infinity;
    for (const domain of this.#known) if (!own.has(domain)) lowest = Math.min(lowest, domain.count);
    return this.#floor(lowest) + maxSkew - this.of(first);
  }

  isKept(cells: readonly Cell[]): boolean {
    const { isHard } = this.constraint;
    const ceiling = this.ceiling();
    return !isHard || cells.every((cell) => this.of(cell) <= ceiling.most);
  }

  /** No place gets more than `most`, until all of the `lowest` ones have got some; a place of a soft constraint gets as many as it can. */
  ceiling(): { readonly most: number; readonly lowest: number; readonly atLowest: number } {
    const { isHard, maxSkew } = this.constraint;
    const [lowest] = this.#lowestTwo();
    const atLowest = this.#known.reduce((all, domain) => (domain.count === lowest ? all + 1 : all), 0);
    return { most: isHard ? this.#floor(lowest) + maxSkew : Infinity, lowest, atLowest };
  }

  /** `zone a 5, b 1 although maxSkew is 1`; undefined: as even as asked for. */
  uneven(): string | undefined {
    const { isHard, maxSkew, topologyKey } = this.constraint;
    const highest = this.domains.reduce((most, domain) => Math.max(most, domain.count), 0);
    if (!isHard || highest <= this.ceiling().most) return undefined;
    const told = this.domains
      .toSorted((a, b) => compareText(a.name, b.name))
      .map((domain) => `${domain.name} ${String(domain.count)}`);
    return `${topologyKey} ${shortList(told, SHOWN_MAX).join(", ")} although maxSkew is ${String(maxSkew)}`;
  }

  #floor(lowest: number): number {
    return this.#known.length < (this.constraint.minDomains ?? 1) ? 0 : lowest;
  }

  #lowestTwo(): readonly [number, number] {
    if (this.#lowest !== undefined) return this.#lowest;
    let [lowest, second] = [Infinity, Infinity];
    for (const { count: its } of this.#known) {
      if (its < lowest) [lowest, second] = [its, lowest];
      else if (its < second) second = its;
    }
    this.#lowest = [lowest, second];
    return this.#lowest;
  }
}

/** By the first constraint, then by the second … */
export function emptiest(a: Cell, b: Cell, counts: readonly Counts[]): number {
  for (const each of counts) {
    const difference = each.of(a) - each.of(b);
    if (difference !== 0) return difference;
  }
  return 0;
}
