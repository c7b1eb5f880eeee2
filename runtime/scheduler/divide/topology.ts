// topologySpreadConstraints over the labels of clusters: how many replicas each place (region, zone, provider …) gets or gives. Pure.
//
// (TOP-1) With DoNotSchedule a place never gets so many that it has more than maxSkew above the emptiest place.
// (TOP-2) With ScheduleAnyway the emptiest place is filled first, as far as it has room.
// (TOP-3) Replicas that run are not moved to make the spread even: what is given back comes from the fullest place.
//
// As for nodes in Kubernetes, the emptiest place counts also when it is full; unlike there, a place whose clusters are all silent does not,
// because one lost region would stop the whole fleet. A cluster without the label gets nothing new where the constraint is hard.

import { shortList } from "#std/short-list.ts";
import { sum } from "./apportion.ts";
import type { Constraint, Place, Placing } from "./places.ts";

/** A place is filled up to the next one in one step, and even places are filled together: only strange fleets need many steps. */
const STEPS_MAX = 100_000;

/** Places in a message; the rest is a number. */
const SHOWN_MAX = 20;

/** More than this many replicas are put into all places together where that keeps every constraint. */
const TOGETHER_MIN = 64;

/** Clusters that every constraint takes for the same place. */
interface Cell {
  readonly name: string;
  /** At the index of the constraints; undefined: the clusters have no such label. */
  readonly domains: readonly (string | undefined)[];
  readonly places: readonly Place[];
  amount: number;
  /** How many more it may get, or give. */
  left: number;
}

export interface CellAmount {
  readonly places: readonly Place[];
  readonly amount: number;
}

export function placeByTopology(
  wanted: number,
  places: readonly Place[],
  { strategy, constraints }: Placing,
): readonly CellAmount[] {
  const cells = cellsOf(places, constraints, ({ room }) => room);
  const counts = constraints.map((constraint, index) => new Counts(constraint, index, cells));
  const allowed = (cell: Cell): number => counts.reduce((least, each) => Math.min(least, each.allowance(cell)), cell.left);
  const order = (a: Cell, b: Cell): number => emptiest(a, b, counts) || preferred(a, b, strategy);
  let left = wanted;
  for (let steps = 0; left > 0 && steps < STEPS_MAX; steps += 1) {
    const open = cells.filter((cell) => allowed(cell) > 0);
    const [best, next] = firstTwo(open, order);
    if (best === undefined) break;
    if (counts.length === 1) {
      const level = open.filter((cell) => emptiest(cell, best, counts) === 0);
      const most = Math.min(leastLeft(level), ...counts.map((each) => each.allowanceOfAll(level)));
      left -= moveLevel(left, level, { step: move, most, order, counts, cells });
      continue;
    }
    const together = left < TOGETHER_MIN ? 0 : moveTogether(left, open, counts);
    const step = together > 0 ? together : Math.min(left, allowed(best), gap(best, next, counts));
    if (together === 0) move(best, step, counts);
    left -= step;
  }
  return cells;
}

export function takeByTopology(
  unwanted: number,
  places: readonly Place[],
  constraints: readonly Constraint[],
): readonly CellAmount[] {
  const cells = cellsOf(places, constraints, ({ now, floor }) => Math.max(0, now - floor));
  const counts = constraints.map((constraint, index) => new Counts(constraint, index, cells));
  const order = (a: Cell, b: Cell): number => emptiest(b, a, counts) || b.left - a.left || compare(a.name, b.name);
  let left = unwanted;
  for (let steps = 0; left > 0; steps += 1) {
    const open = cells.filter((cell) => cell.left > 0);
    const [fullest, next] = firstTwo(open, order);
    if (fullest === undefined) break;
    if (counts.length === 1) {
      const level = open.filter((cell) => emptiest(cell, fullest, counts) === 0);
      left -= moveLevel(left, level, { step: give, most: leastLeft(level), order, counts, cells });
      continue;
    }
    const each = areLevel(open, counts) ? Math.floor(Math.min(left / open.length, leastLeft(open))) : 0;
    const alone = steps < STEPS_MAX ? gap(fullest, next, counts) : left;
    const step = each > 0 ? each : Math.min(left, fullest.left, alone);
    const giving = each > 0 ? open : [fullest];
    for (const cell of giving) give(cell, step, counts);
    left -= step * giving.length;
  }
  return cells;
}

interface Level {
  readonly step: typeof move;
  /** That each cell of the level may get or give. */
  readonly most: number;
  readonly order: (a: Cell, b: Cell) => number;
  readonly counts: readonly Counts[];
  /** Of this level and of all others. */
  readonly cells: readonly Cell[];
}

/**
 * With one constraint every place is one cell, and one after the other comes to the same as all of a level together: up (down) to the
 * next level, or one each for as many as there are left. What was moved in all.
 */
function moveLevel(left: number, level: readonly Cell[], { step, most, order, counts, cells }: Level): number {
  const [first] = level;
  if (first === undefined) return 0;
  const others = cells.filter((cell) => cell.left > 0 && emptiest(cell, first, counts) !== 0);
  const next = leastOf(others, (cell) => gap(first, cell, counts));
  const each = Math.floor(Math.min(left / level.length, most, next));
  const moving = each > 0 ? level : level.toSorted(order).slice(0, left);
  for (const cell of moving) step(cell, Math.max(1, each), counts);
  return moving.length * Math.max(1, each);
}

/** As many as can be put into every open cell without breaking a constraint; what was put there in all, 0 for none. */
function moveTogether(wanted: number, open: readonly Cell[], counts: readonly Counts[]): number {
  if (!areLevel(open, counts)) return 0;
  const most = Math.floor(Math.min(wanted / open.length, leastLeft(open)));
  for (let each = most; each > 0; each = Math.floor(each / 2)) {
    for (const cell of open) move(cell, each, counts);
    if (counts.every((known) => known.isKept(open))) return each * open.length;
    for (const cell of open) undo(cell, each, counts);
  }
  return 0;
}

/** `zone a 5, b 1 although maxSkew is 1`, of each hard constraint that does not hold for these replicas. */
export function unevenTexts(places: readonly Place[], constraints: readonly Constraint[]): readonly string[] {
  if (!constraints.some(({ isHard }) => isHard)) return [];
  const cells = cellsOf(places, constraints, () => 0);
  return constraints.flatMap((constraint, index) => new Counts(constraint, index, cells).uneven() ?? []);
}

/** Replicas per place of one constraint. */
class Counts {
  readonly constraint: Constraint;
  readonly #index: number;
  readonly #counts = new Map<string, number>();
  /** Places in which somebody has said what fits. */
  readonly #known = new Set<string>();
  #lowest: readonly [number, number] | undefined;

  constructor(constraint: Constraint, index: number, cells: readonly Cell[]) {
    this.constraint = constraint;
    this.#index = index;
    for (const cell of cells) {
      const domain = cell.domains[index];
      if (domain === undefined) continue;
      this.#counts.set(domain, sum(cell.places.map(({ now }) => now)) + (this.#counts.get(domain) ?? 0));
      if (cell.places.some(({ isKnown }) => isKnown)) this.#known.add(domain);
    }
  }

  /** Of the cell's place; a cell in no place comes after all others. */
  of({ domains }: Cell): number {
    const domain = domains[this.#index];
    return domain === undefined ? Number.MAX_SAFE_INTEGER : (this.#counts.get(domain) ?? 0);
  }

  add({ domains }: Cell, amount: number): void {
    const domain = domains[this.#index];
    if (domain === undefined) return;
    this.#counts.set(domain, (this.#counts.get(domain) ?? 0) + amount);
    this.#lowest = undefined;
  }

  /** How many more the cell may get by this constraint. */
  allowance(cell: Cell): number {
    const { isHard, maxSkew } = this.constraint;
    if (!isHard) return Infinity;
    const domain = cell.domains[this.#index];
    if (domain === undefined) return 0;
    const count = this.of(cell);
    const [lowest, second] = this.#lowestTwo();
    const others = count === lowest && this.#known.has(domain) ? second : lowest;
    return this.#floor(others) + maxSkew - count;
  }

  /** How many more each of these cells, which are on one level, may get when all of them do. */
  allowanceOfAll(level: readonly Cell[]): number {
    const { isHard, maxSkew } = this.constraint;
    const [first] = level;
    if (!isHard || first === undefined) return Infinity;
    const own = new Set(level.map(({ domains }) => domains[this.#index]));
    let lowest = Infinity;
    for (const domain of this.#known) if (!own.has(domain)) lowest = Math.min(lowest, this.#counts.get(domain) ?? 0);
    return this.#floor(lowest) + maxSkew - this.of(first);
  }

  isKept(cells: readonly Cell[]): boolean {
    const { isHard, maxSkew } = this.constraint;
    const [lowest] = this.#lowestTwo();
    return !isHard || cells.every((cell) => this.of(cell) - this.#floor(lowest) <= maxSkew);
  }

  /** `zone a 5, b 1`; undefined: as even as asked for. */
  uneven(): string | undefined {
    const { isHard, maxSkew, topologyKey } = this.constraint;
    const [lowest] = this.#lowestTwo();
    const highest = [...this.#counts.values()].reduce((most, count) => Math.max(most, count), 0);
    if (!isHard || highest - this.#floor(lowest) <= maxSkew) return undefined;
    const told = [...this.#counts].toSorted(([a], [b]) => compare(a, b)).map(([domain, count]) => `${domain} ${String(count)}`);
    return `${topologyKey} ${shortList(told, SHOWN_MAX).join(", ")} although maxSkew is ${String(maxSkew)}`;
  }

  #floor(lowest: number): number {
    return this.#known.size < (this.constraint.minDomains ?? 1) ? 0 : lowest;
  }

  #lowestTwo(): readonly [number, number] {
    if (this.#lowest !== undefined) return this.#lowest;
    let [lowest, second] = [Infinity, Infinity];
    for (const domain of this.#known) {
      const count = this.#counts.get(domain) ?? 0;
      if (count < lowest) [lowest, second] = [count, lowest];
      else if (count < second) second = count;
    }
    this.#lowest = [lowest, second];
    return this.#lowest;
  }
}

function cellsOf(places: readonly Place[], constraints: readonly Constraint[], left: (one: Place) => number): readonly Cell[] {
  const groups = new Map<string, Place[]>();
  const domainsOf = ({ labels }: Place): readonly (string | undefined)[] =>
    constraints.map(({ topologyKey }) => (Object.hasOwn(labels, topologyKey) ? labels[topologyKey] : undefined));
  for (const one of places) {
    const name = JSON.stringify(domainsOf(one));
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [one]);
    else group.push(one);
  }
  return [...groups]
    .map(([name, group]) => ({
      name,
      domains: group[0] === undefined ? [] : domainsOf(group[0]),
      places: group,
      amount: 0,
      left: group.reduce((all, one) => all + left(one), 0),
    }))
    .toSorted((a, b) => compare(a.name, b.name));
}

function move(cell: Cell, step: number, counts: readonly Counts[]): void {
  cell.amount += step;
  cell.left -= step;
  for (const each of counts) each.add(cell, step);
}

function give(cell: Cell, step: number, counts: readonly Counts[]): void {
  cell.amount += step;
  cell.left -= step;
  for (const each of counts) each.add(cell, -step);
}

/** All on one level: what they get or give together leaves them as even as they are. */
function areLevel(open: readonly Cell[], counts: readonly Counts[]): boolean {
  const [first] = open;
  return first !== undefined && counts.every((each) => open.every((cell) => each.of(cell) === each.of(first)));
}

function leastLeft(open: readonly Cell[]): number {
  return leastOf(open, ({ left }) => left);
}

function leastOf(cells: readonly Cell[], of: (cell: Cell) => number): number {
  return cells.reduce((least, cell) => Math.min(least, of(cell)), Infinity);
}

function undo(cell: Cell, step: number, counts: readonly Counts[]): void {
  move(cell, -step, counts);
}

/** By the first constraint, then by the second … */
function emptiest(a: Cell, b: Cell, counts: readonly Counts[]): number {
  for (const each of counts) {
    const difference = each.of(a) - each.of(b);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** How far it is from a cell to the next one, at least 1. */
function gap(cell: Cell, next: Cell | undefined, counts: readonly Counts[]): number {
  const [first] = counts;
  if (next === undefined || first === undefined) return cell.left;
  return Math.max(1, Math.abs(first.of(next) - first.of(cell)));
}

function firstTwo(cells: readonly Cell[], order: (a: Cell, b: Cell) => number): readonly [Cell | undefined, Cell | undefined] {
  let [first, second]: [Cell | undefined, Cell | undefined] = [undefined, undefined];
  for (const cell of cells) {
    if (first === undefined || order(cell, first) < 0) [first, second] = [cell, first];
    else if (second === undefined || order(cell, second) < 0) second = cell;
  }
  return [first, second];
}

function preferred(a: Cell, b: Cell, strategy: Placing["strategy"]): number {
  const best = ({ places }: Cell): number => places.reduce((most, { score }) => Math.max(most, score), 0);
  return (strategy === "Binpack" ? best(b) - best(a) : 0) || b.left - a.left || compare(a.name, b.name);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
