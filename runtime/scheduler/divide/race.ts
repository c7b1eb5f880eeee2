// Which of many cells is the first to get, or to give, the next replica, after each replica in the time of a few cells. Pure.
//
// A replica changes the counts of all cells of its places: with a zone, of a third of the fleet. But among cells of one place its count
// changes nobody's order. So cells that share places stand side by side, pairs of neighbours play, the winners play each other, and so on up
// to one winner; a count that changes decides anew only the games of those who stand at the ends of its place.
//
// (RACE-1) The winner is the same as if all were compared with each other.
// (RACE-2) Who may get nothing more is behind all who may, and is back as soon as the emptiest places have filled up.

import { compareText } from "#std/compare-text.ts";
import { emptiest, type Cell, type Counts, type Domain } from "./spread.ts";

/** A hard constraint: how full a place may become. */
interface Ceiling {
  readonly counts: Counts;
  most: number;
  lowest: number;
  /** Places that are as empty as the emptiest. */
  atLowest: number;
}

export interface RaceOptions {
  readonly counts: readonly Counts[];
  /** +1: the emptiest is first, and gets; -1: the fullest is first, and gives. */
  readonly direction: 1 | -1;
  /** Of two that are equal by their counts. */
  readonly order: (a: Cell, b: Cell) => number;
}

export class Race {
  readonly #options: RaceOptions;
  readonly #cells: readonly Cell[];
  readonly #positions: ReadonlyMap<Cell, number>;
  /** By place: where each stretch of its cells begins and ends. */
  readonly #ends: ReadonlyMap<Domain, readonly number[]>;
  readonly #ceilings: readonly Ceiling[];
  /** Of game n the winner plays in game n / 2; from `cells.length` on they are the cells themselves. Number 0 plays nowhere. */
  readonly #winners: Int32Array;

  constructor(cells: readonly Cell[], options: RaceOptions) {
    this.#options = options;
    this.#cells = sideBySide(cells, options.counts);
    this.#positions = new Map(this.#cells.map((cell, index) => [cell, index]));
    this.#ends = endsOf(this.#cells, options.counts);
    this.#ceilings = options.direction === -1 ? [] : ceilingsOf(options.counts);
    this.#winners = Int32Array.from({ length: 2 * cells.length }, (_, index) => index - cells.length);
    for (let game = cells.length - 1; game > 0; game -= 1) this.#play(game);
  }

  /** Who is next; undefined: nobody may get (give) one more. */
  first(): Cell | undefined {
    const winner = this.#cells[this.#winners[1] ?? -1];
    return winner !== undefined && this.#obstacles(winner) === 0 ? winner : undefined;
  }

  /** How many the first one may get (give) at once. */
  most(first: Cell): number {
    return this.#ceilings.reduce((least, { counts, most }) => Math.min(least, most - counts.of(first)), first.left);
  }

  move(cell: Cell, step: number): void {
    const { counts, direction } = this.#options;
    cell.amount += step;
    cell.left -= step;
    for (const each of counts) each.add(cell, direction * step);
    const opened = this.#ceilings.flatMap((ceiling) => raised(ceiling, cell, step));
    this.#replay(this.#positions.get(cell) ?? 0);
    for (const domain of [...cell.domains, ...opened])
      if (domain !== undefined) for (const position of this.#ends.get(domain) ?? []) this.#replay(position);
  }

  #replay(position: number): void {
    for (let game = (position + this.#cells.length) >>> 1; game > 0; game >>>= 1) this.#play(game);
  }

  #play(game: number): void {
    const [left, right] = [this.#winners[2 * game] ?? 0, this.#winners[2 * game + 1] ?? 0];
    const [a, b] = [this.#cells[left], this.#cells[right]];
    if (a !== undefined && b !== undefined) this.#winners[game] = this.#compare(a, b) <= 0 ? left : right;
  }

  #compare(a: Cell, b: Cell): number {
    const { counts, direction, order } = this.#options;
    return this.#obstacles(a) - this.#obstacles(b) || direction * emptiest(a, b, counts) || order(a, b);
  }

  /** How many things keep a cell out. A number, because what keeps out both of two must not decide between them. */
  #obstacles(cell: Cell): number {
    let obstacles = cell.left > 0 ? 0 : 1;
    for (const { counts, most } of this.#ceilings) if (counts.of(cell) >= most) obstacles += 1;
    return obstacles;
  }
}

/** By the constraint with the fewest places first: then the cells of a place stand in few stretches. */
function sideBySide(cells: readonly Cell[], counts: readonly Counts[]): readonly Cell[] {
  const coarseFirst = counts.toSorted((a, b) => a.domains.length - b.domains.length);
  const nameOf = (cell: Cell, each: Counts): string => each.domainOf(cell)?.name ?? "";
  return cells.toSorted((a, b) => {
    for (const each of coarseFirst) {
      const order = compareText(nameOf(a, each), nameOf(b, each));
      if (order !== 0) return order;
    }
    return 0;
  });
}

function endsOf(cells: readonly Cell[], counts: readonly Counts[]): ReadonlyMap<Domain, readonly number[]> {
  const ends = new Map<Domain, number[]>();
  for (const each of counts) {
    const domains = cells.map((cell) => each.domainOf(cell));
    for (const [index, domain] of domains.entries()) {
      if (domain === undefined || (domains[index - 1] === domain && domains[index + 1] === domain)) continue;
      const known = ends.get(domain);
      if (known === undefined) ends.set(domain, [index]);
      else known.push(index);
    }
  }
  return ends;
}

function ceilingsOf(counts: readonly Counts[]): readonly Ceiling[] {
  return counts.filter(({ constraint }) => constraint.isHard).map((each) => ({ counts: each, ...each.ceiling() }));
}

/** Places that may get more now, because the last of the emptiest ones got some. */
function raised(ceiling: Ceiling, cell: Cell, step: number): readonly Domain[] {
  const { counts, lowest, most } = ceiling;
  const domain = counts.domainOf(cell);
  if (domain?.isKnown !== true || domain.count - step !== lowest) return [];
  ceiling.atLowest -= 1;
  if (ceiling.atLowest > 0) return [];
  Object.assign(ceiling, counts.ceiling());
  return counts.domains.filter((each) => each.count >= most && each.count < ceiling.most);
}
