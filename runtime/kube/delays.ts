// Keys and when each is due, earliest first: a binary heap. Pure.

export interface Delays {
  readonly size: number;
  /** When the key is there already, the earlier time stands. */
  set(key: string, dueAt: number): void;
  /** When the first one is due; undefined when there is none. */
  earliest(): number | undefined;
  /** Removes and returns every key that is due, earliest first. */
  takeDue(now: number): string[];
}

interface Entry {
  readonly key: string;
  readonly dueAt: number;
}

export function createDelays(): Delays {
  const dueTimes = new Map<string, number>();
  // May hold entries that an earlier one has replaced; they are dropped when they come up.
  const heap: Entry[] = [];
  const isStale = ({ key, dueAt }: Entry): boolean => dueTimes.get(key) !== dueAt;
  const first = (): Entry | undefined => {
    while (heap[0] !== undefined && isStale(heap[0])) pop(heap);
    return heap[0];
  };
  return {
    get size() {
      return dueTimes.size;
    },
    set: (key, dueAt) => {
      const existing = dueTimes.get(key);
      if (existing !== undefined && existing <= dueAt) return;
      dueTimes.set(key, dueAt);
      push(heap, { key, dueAt });
    },
    earliest: () => first()?.dueAt,
    takeDue: (now) => {
      const due: string[] = [];
      for (let entry = first(); entry !== undefined && entry.dueAt <= now; entry = first()) {
        pop(heap);
        dueTimes.delete(entry.key);
        due.push(entry.key);
      }
      return due;
    },
  };
}

function push(heap: Entry[], entry: Entry): void {
  heap.push(entry);
  let index = heap.length - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (dueAt(heap, parent) <= entry.dueAt) return;
    swap(heap, index, parent);
    index = parent;
  }
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  heap[0] = last;
  let index = 0;
  for (;;) {
    const left = 2 * index + 1;
    const smaller = dueAt(heap, left + 1) < dueAt(heap, left) ? left + 1 : left;
    if (dueAt(heap, smaller) >= last.dueAt) return;
    swap(heap, index, smaller);
    index = smaller;
  }
}

function dueAt(heap: readonly Entry[], index: number): number {
  return heap[index]?.dueAt ?? Number.POSITIVE_INFINITY;
}

function swap(heap: Entry[], a: number, b: number): void {
  const [first, second] = [heap[a], heap[b]];
  if (first === undefined || second === undefined) return;
  heap[a] = second;
  heap[b] = first;
}
