// Feeds of one Subscription never take more of a cluster than there is.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { CapacityAnswer } from "#scheduler/capacity.ts";
import { sum } from "./apportion.ts";
import { divideByCapacity, type CapacityRules } from "./by-capacity.ts";
import { SharedRoom } from "./shared-room.ts";

const rules: CapacityRules = { strategy: "Spread", constraints: [], minClusters: 0 };
const fits = (replicas: number): CapacityAnswer => ({ type: "fits", replicas });

test("what all feeds take together fits into each cluster, and the first feed is not made smaller", () => {
  const feed = fc.record({ desired: fc.nat({ max: 30 }), rooms: fc.array(fc.nat({ max: 9 }), { minLength: 3, maxLength: 3 }) });
  fc.assert(
    fc.property(fc.array(feed, { minLength: 1, maxLength: 4 }), (feeds) => {
      const shared = new SharedRoom();
      const taken = [0, 0, 0];
      for (const [index, { desired, rooms }] of feeds.entries()) {
        const answer = (cluster: string): CapacityAnswer => fits(rooms[Number(cluster)] ?? 0);
        const clusters = rooms.map((_room, cluster) => {
          const key = String(cluster);
          return { key, labels: {}, score: 0, previous: 0, capacity: shared.of(key, answer(key)) };
        });
        const division = divideByCapacity({ feed: String(index), desired, clusters }, rules);
        shared.take(division, answer);
        if (index === 0) expect(division.placed).toBe(Math.min(desired, sum(rooms)));
        for (const [cluster, { replicas }] of division.shares.entries())
          if (replicas > 0) taken[cluster] = (taken[cluster] ?? 0) + replicas / (rooms[cluster] ?? 0);
      }
      for (const part of taken) expect(part).toBeLessThanOrEqual(1 + 1e-9);
    }),
  );
});
