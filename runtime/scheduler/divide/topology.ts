// topologySpreadConstraints over the labels of clusters: how many replicas each place (region, zone, provider …) gets or gives. Pure.
//
// (TOP-1) With DoNotSchedule a place never gets so many that it has more than maxSkew above the emptiest place.
// (TOP-2) With ScheduleAnyway the emptiest place is filled first, as far as it has room.
// (TOP-3) Replicas that run are not moved to make the spread even: what is given back comes from the fullest place.
// (TOP-4) The result is the one of a replica after the other, each into the place that is the emptiest then (out of the fullest).
//
// As for nodes in Kubernetes, the emptiest place counts also when it is full; unlike there, a place whose clusters are all silent does not,
// because one lost region would stop the whole fleet. A cluster without the label gets nothing new where the constraint is hard.

import type { Constraint, Place, Placing } from "./places.ts";
import { Race } from "./race.ts";
import { compareText } from "#std/compare-text.ts";
import { emptiest, spreadOf, type Cell, type Counts } from "./spread.ts";

/** Only strange fleets need so many; what is not placed then is said to be missing. */
const STEPS_MAX = 500_000;

/** With several constraints, of more replicas than this the first ones are placed by so many at once that about this number of steps is enough. */
const ONE_BY_ONE_MAX = 20_000;

export interface CellAmount {
  readonly places: readonly Place[];
  readonly amount: number;
}

export function placeByTopology(
  wanted: number,
  places: readonly Place[],
  { strategy, constraints }: Placing,
): readonly CellAmount[] {
  const { cells, counts } = spreadOf(places, constraints, ({ room }) => room);
  const order = (a: Cell, b: Cell): number => preferred(a, b, strategy);
  if (counts.length === 1) placeByLevels(wanted, cells, { counts, order });
  else {
    const together = wanted > ONE_BY_ONE_MAX ? moveTogether(wanted - ONE_BY_ONE_MAX, cells, counts) : 0;
    run(wanted - together, new Race(cells, { counts, direction: 1, order }));
  }
  return cells;
}

export function takeByTopology(
  unwanted: number,
  places: readonly Place[],
  constraints: readonly Constraint[],
): readonly CellAmount[] {
  const { cells, counts } = spreadOf(places, constraints, ({ now, floor }) => Math.max(0, now - floor));
  const order = (a: Cell, b: Cell): number => b.left - a.left || compareText(a.name, b.name);
  if (counts.length === 1) takeByLevels(unwanted, cells, { counts, order });
  else run(unwanted, new Race(cells, { counts, direction: -1, order }));
  return cells;
}

/** `zone a 5, b 1 although maxSkew is 1`, of each hard constraint that does not hold for these replicas. */
export function unevenTexts(places: readonly Place[], constraints: readonly Constraint[]): readonly string[] {
  if (!constraints.some(({ isHard }) => isHard)) return [];
  return spreadOf(places, constraints, () => 0).counts.flatMap((each) => each.uneven() ?? []);
}

function run(amount: number, race: Race): void {
  let left = amount;
  for (let steps = 0; left > 0 && steps < STEPS_MAX; steps += 1) {
    const first = race.first();
    if (first === undefined) return;
    const step = Math.min(Math.ceil(left / ONE_BY_ONE_MAX), race.most(first));
    race.move(first, step);
    left -= step;
  }
}

interface Levels {
  readonly counts: readonly Counts[];
  /** Of two on one level. */
  readonly order: (a: Cell, b: Cell) => number;
}

function placeByLevels(wanted: number, cells: readonly Cell[], { counts, order }: Levels): void {
  let left = wanted;
  for (let steps = 0; left > 0 && steps < STEPS_MAX; steps += 1) {
    const open = openOf(cells, counts);
    const level = firstLevel(open, (a, b) => emptiest(a, b, counts));
    if (level.length === 0) return;
    const most = Math.min(leastLeft(level), ...counts.map((each) => each.allowanceOfAll(level)));
    left -= moveLevel(left, level, { direction: 1, most, order, counts, cells });
  }
}

function takeByLevels(unwanted: number, cells: readonly Cell[], { counts, order }: Levels): void {
  let left = unwanted;
  while (left > 0) {
    const open = cells.filter((cell) => cell.left > 0);
    const level = firstLevel(open, (a, b) => emptiest(b, a, counts));
    if (level.length === 0) return;
    left -= moveLevel(left, level, { direction: -1, most: leastLeft(level), order, counts, cells });
  }
}

interface Level extends Levels {
  readonly direction: 1 | -1;
  /** That each cell of the level may get or give. */
  readonly most: number;
  /** Of this level and of all others. */
  readonly cells: readonly Cell[];
}

/**
 * With one constraint every place is one cell, and one after the other comes to the same as all of a level together: up (down) to the
 * next level, or one each for as many as there are left. What was moved in all.
 */
function moveLevel(left: number, level: readonly Cell[], { direction, most, order, counts, cells }: Level): number {
  const [first] = level;
  if (first === undefined) return 0;
  const others = cells.filter((cell) => cell.left > 0 && emptiest(cell, first, counts) !== 0);
  const next = leastOf(others, (cell) => gap(first, cell, counts));
  const each = Math.floor(Math.min(left / level.length, most, next));
  const moving = each > 0 ? level : level.toSorted(order).slice(0, left);
  for (const cell of moving) move(cell, Math.max(1, each), { counts, direction });
  return moving.length * Math.max(1, each);
}

/** As many as can be put into every open cell without breaking a constraint; what was put there in all, 0 for none. */
function moveTogether(wanted: number, cells: readonly Cell[], counts: readonly Counts[]): number {
  const open = openOf(cells, counts);
  const [first] = open;
  if (first === undefined || firstLevel(open, (a, b) => emptiest(a, b, counts)).length < open.length) return 0;
  const most = Math.floor(Math.min(wanted / open.length, leastLeft(open)));
  for (let each = most; each > 0; each = Math.floor(each / 2)) {
    for (const cell of open) move(cell, each, { counts, direction: 1 });
    if (counts.every((known) => known.isKept(open))) return each * open.length;
    for (const cell of open) move(cell, -each, { counts, direction: 1 });
  }
  return 0;
}

function move(cell: Cell, step: number, { counts, direction }: Pick<Level, "counts" | "direction">): void {
  cell.amount += step;
  cell.left -= step;
  for (const each of counts) each.add(cell, direction * step);
}

function openOf(cells: readonly Cell[], counts: readonly Counts[]): readonly Cell[] {
  return cells.filter((cell) => cell.left > 0 && counts.every((each) => each.allowance(cell) > 0));
}

/** All that are equal to the first one. */
function firstLevel(cells: readonly Cell[], order: (a: Cell, b: Cell) => number): readonly Cell[] {
  let level: Cell[] = [];
  for (const cell of cells) {
    const [first] = level;
    const difference = first === undefined ? 0 : order(cell, first);
    if (difference < 0) level = [cell];
    else if (difference === 0) level.push(cell);
  }
  return level;
}

function leastLeft(open: readonly Cell[]): number {
  return leastOf(open, ({ left }) => left);
}

function leastOf(cells: readonly Cell[], of: (cell: Cell) => number): number {
  return cells.reduce((least, cell) => Math.min(least, of(cell)), Infinity);
}

/** How far it is from a cell to another level, at least 1. */
function gap(cell: Cell, next: Cell, counts: readonly Counts[]): number {
  const [first] = counts;
  return first === undefined ? cell.left : Math.max(1, Math.abs(first.of(next) - first.of(cell)));
}

function preferred(a: Cell, b: Cell, strategy: Placing["strategy"]): number {
  return (strategy === "Binpack" ? b.score - a.score : 0) || b.left - a.left || compareText(a.name, b.name);
}
