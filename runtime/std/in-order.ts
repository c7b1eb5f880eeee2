// The items of a list in order, as far as somebody asks: who wants the best few of many does not pay for the order of the rest. Pure.

/** As `toSorted(compare)` of a total order, one after the other: a binary heap. */
export function* inOrder<T>(items: readonly T[], compare: (a: T, b: T) => number): Generator<T, undefined> {
  const heap = [...items];
  for (let index = (heap.length >>> 1) - 1; index >= 0; index -= 1) sink(heap, index, compare);
  for (;;) {
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined) return undefined;
    if (heap.length > 0) {
      heap[0] = last;
      sink(heap, 0, compare);
    }
    yield first;
  }
}

/** Down to where neither child comes before it. */
function sink<T>(heap: T[], from: number, compare: (a: T, b: T) => number): void {
  const item = heap[from] as T;
  let hole = from;
  for (let child = 2 * hole + 1; child < heap.length; child = 2 * hole + 1) {
    const next = child + 1 < heap.length && compare(heap[child + 1] as T, heap[child] as T) < 0 ? child + 1 : child;
    if (compare(item, heap[next] as T) <= 0) break;
    heap[hole] = heap[next] as T;
    hole = next;
  }
  heap[hole] = item;
}
