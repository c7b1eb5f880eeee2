// Several feeds, one cluster: what one of them takes, another one cannot. Pure.
//
// Clusters answer for each feed as if it came alone. A feed that takes a third of what would fit of it leaves two thirds of what would fit of
// any other. Where feeds need different things (one CPU, one memory) more would fit; the next decision asks again and places that.

import type { CapacityAnswer } from "#scheduler/capacity.ts";
import type { FeedDivision } from "#scheduler/decision.ts";

export class SharedRoom {
  /** By cluster: the part that is left, as a fraction. */
  readonly #left = new Map<string, { readonly numerator: bigint; readonly denominator: bigint }>();

  /** The answer, less what feeds before took. */
  of(cluster: string, answer: CapacityAnswer | undefined): CapacityAnswer | undefined {
    const left = this.#left.get(cluster);
    if (left === undefined || answer?.type !== "fits") return answer;
    return { ...answer, replicas: Number((BigInt(Math.max(0, answer.replicas)) * left.numerator) / left.denominator) };
  }

  /** `answer`: what the clusters said of this feed, alone. */
  take({ shares }: FeedDivision, answer: (cluster: string) => CapacityAnswer | undefined): void {
    for (const { cluster, replicas, previous } of shares) {
      if (replicas <= previous) continue;
      const room = answer(cluster);
      if (room?.type !== "fits" || room.replicas <= 0) continue;
      const [taken, all] = [BigInt(replicas - previous), BigInt(room.replicas)];
      const { numerator, denominator } = this.#left.get(cluster) ?? { numerator: 1n, denominator: 1n };
      this.#left.set(cluster, { numerator: numerator * all - taken * denominator, denominator: denominator * all });
    }
  }
}
