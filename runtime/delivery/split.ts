// Rendered objects -> the Descriptions that hold them: one, unless they are too large together. Pure.
//
// (SPL-1) An object stays in the part where it is while it fits there; one that did not change always does, but for SPL-3.
// (SPL-2) A part that hands objects to other parts gets none from them, so that all who gain can be written before all who lose: at every
//         moment some part describes each object, and nobody takes it for unwanted.
// (SPL-3) The last part is dissolved into the others when they have ample room for all of it: not at the first free byte, and back again.

import { DESCRIPTION_RAW_BYTES_MAX, type RenderedObject } from "./render.ts";
import { phaseRank } from "./plan.ts";

export interface Limits {
  readonly bytesMax: number;
  readonly objectsMax: number;
}

/** Each object takes room in the status, too: some hundred bytes, whatever its own size. */
const LIMITS: Limits = { bytesMax: DESCRIPTION_RAW_BYTES_MAX, objectsMax: 1_000 };

/** Of the limits: how full parts may get by dissolving another one. */
const AMPLE_PERCENT = 75;

export interface Part {
  readonly number: number;
  /** In the order of the feeds. */
  readonly objects: readonly RenderedObject[];
}

export interface SplitInput {
  readonly objects: readonly RenderedObject[];
  /** As it is described now. */
  readonly previous: readonly Part[];
  /** Numbers of parts that are going away. */
  readonly taken?: ReadonlySet<number>;
  readonly limits?: Limits;
}

/** Ascending by number; part 0 is always there. */
export function splitObjects({ objects, previous, taken = new Set(), limits = LIMITS }: SplitInput): readonly Part[] {
  const shelf = new Shelf({ numbers: [0, ...previous.map(({ number }) => number)], taken, limits });
  const homes = homesOf(objects, previous);
  const settled = objects.filter(({ key }) => homes.has(key));
  const isSame = ({ key, text }: RenderedObject): boolean => homes.get(key)?.text === text;
  const evicted = [...settled.filter(isSame), ...settled.filter((object) => !isSame(object))].filter(
    (object) => !shelf.stay(object, homes.get(object.key)?.number ?? 0),
  );
  for (const object of inPhaseOrder(evicted)) shelf.place(object, { isMoved: true });
  for (const object of inPhaseOrder(objects.filter(({ key }) => !homes.has(key)))) shelf.place(object, { isMoved: false });
  if (evicted.length === 0) shelf.dissolve();
  const order = new Map(objects.map(({ key }, index) => [key, index]));
  return shelf.parts((a, b) => (order.get(a.key) ?? 0) - (order.get(b.key) ?? 0));
}

/** Nothing has to be split, and nothing is: the ordinary case. */
export function fitsInOne(objects: readonly RenderedObject[], { bytesMax, objectsMax }: Limits = LIMITS): boolean {
  return objects.length <= objectsMax && objects.reduce((sum, { text }) => sum + text.length, 0) <= bytesMax;
}

/** What gains an object of another part; it has to be written before the others (SPL-2). */
export function gainsMoved({ number, objects }: Part, previous: readonly Part[]): boolean {
  const before = new Map(previous.map((part) => [part.number, new Set(part.objects.map(({ key }) => key))]));
  return objects.some(({ key }) => before.get(number)?.has(key) !== true && [...before.values()].some((keys) => keys.has(key)));
}

/** An interrupted move leaves an object in two parts: where it is as wanted, else the later one. */
function homesOf(
  objects: readonly RenderedObject[],
  previous: readonly Part[],
): ReadonlyMap<string, { readonly number: number; readonly text: string }> {
  const wanted = new Map(objects.map(({ key, text }) => [key, text]));
  const homes = new Map<string, { readonly number: number; readonly text: string }>();
  for (const { number, objects: held } of previous.toSorted((a, b) => a.number - b.number)) {
    for (const { key, text } of held) {
      const known = homes.get(key);
      const isBetter = known === undefined || known.text !== wanted.get(key) || text === wanted.get(key);
      if (wanted.has(key) && isBetter) homes.set(key, { number, text });
    }
  }
  return homes;
}

/** What others stand on goes into the first parts. */
function inPhaseOrder(objects: readonly RenderedObject[]): readonly RenderedObject[] {
  return objects.toSorted((a, b) => phaseRank(a.kind) - phaseRank(b.kind));
}

interface Bin {
  readonly number: number;
  bytes: number;
  readonly objects: RenderedObject[];
  /** Something that was in it has to go elsewhere. */
  isLosing: boolean;
}

interface ShelfOptions {
  readonly numbers: readonly number[];
  readonly taken: ReadonlySet<number>;
  readonly limits: Limits;
}

/** The parts while they are filled. */
class Shelf {
  readonly #limits: Limits;
  readonly #taken: ReadonlySet<number>;
  #bins: readonly Bin[];

  constructor({ numbers, taken, limits }: ShelfOptions) {
    this.#limits = limits;
    this.#taken = taken;
    this.#bins = [...new Set(numbers)].toSorted((a, b) => a - b).map(emptyBin);
  }

  /** False: it does not fit there any more. */
  stay(object: RenderedObject, number: number): boolean {
    const bin = this.#bins.find((each) => each.number === number);
    if (bin === undefined) return false;
    if (fits(bin, object, this.#limits)) {
      put(bin, object);
      return true;
    }
    bin.isLosing = true;
    return false;
  }

  place(object: RenderedObject, { isMoved }: { readonly isMoved: boolean }): void {
    const open = this.#bins.find((bin) => !(isMoved && bin.isLosing) && fits(bin, object, this.#limits));
    put(open ?? this.#open(), object);
  }

  dissolve(): void {
    const { bytesMax, objectsMax } = this.#limits;
    const ample = { bytesMax: (bytesMax * AMPLE_PERCENT) / 100, objectsMax: (objectsMax * AMPLE_PERCENT) / 100 };
    this.#bins = this.#bins.filter(({ number, objects }) => number === 0 || objects.length > 0);
    for (;;) {
      const last = this.#bins.at(-1);
      if (last === undefined || last.number === 0) return;
      const others = this.#bins.slice(0, -1).map((bin) => ({ ...bin, objects: [...bin.objects] }));
      for (const object of inPhaseOrder(last.objects)) {
        const roomy = others.find((bin) => fits(bin, object, ample));
        if (roomy === undefined) return;
        put(roomy, object);
      }
      this.#bins = others;
    }
  }

  parts(order: (a: RenderedObject, b: RenderedObject) => number): readonly Part[] {
    return this.#bins
      .filter(({ number, objects }) => number === 0 || objects.length > 0)
      .map(({ number, objects }) => ({ number, objects: objects.toSorted(order) }));
  }

  /** The lowest number that is free. */
  #open(): Bin {
    const used = new Set([...this.#taken, ...this.#bins.map(({ number }) => number)]);
    let number = 1;
    while (used.has(number)) number += 1;
    const bin = emptyBin(number);
    this.#bins = [...this.#bins, bin].toSorted((a, b) => a.number - b.number);
    return bin;
  }
}

function emptyBin(number: number): Bin {
  return { number, bytes: 0, objects: [], isLosing: false };
}

/** An empty one takes whatever comes: there is no better place. */
function fits({ bytes, objects }: Bin, { text }: RenderedObject, { bytesMax, objectsMax }: Limits): boolean {
  return objects.length === 0 || (bytes + text.length <= bytesMax && objects.length + 1 <= objectsMax);
}

function put(bin: Bin, object: RenderedObject): void {
  bin.objects.push(object);
  bin.bytes += object.text.length;
}
