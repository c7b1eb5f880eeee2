// Work on many items, some at a time.

export interface InParallelOptions<T, R> {
  readonly atATime: number;
  readonly work: (item: T) => Promise<R>;
}

/**
 * The results, in the items' order. Starts nothing more once an item failed or the signal is aborted, waits for what has begun, then
 * throws the first failure.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  { atATime, work }: InParallelOptions<T, R>,
  signal: AbortSignal,
): Promise<readonly R[]> {
  const results = new Map<number, R>();
  const failures: unknown[] = [];
  const queue = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failures.length > 0) return;
      try {
        signal.throwIfAborted();
        results.set(index, await work(item));
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atATime, items.length) }, worker));
  if (failures.length > 0) throw failures[0];
  return [...results].toSorted(([a], [b]) => a - b).map(([, result]) => result);
}
