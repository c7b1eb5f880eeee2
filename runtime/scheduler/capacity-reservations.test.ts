// Reservations by kind say what reservations one by one would, whatever happened to them.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { displacementOf, NeedReader, type Need } from "./capacity-need.ts";
import { Reservations, type Asker, type Reservation } from "./capacity-reservations.ts";

const PARIS = "paris/paris";
const reader = new NeedReader();
const needOf = (cpu: number): Need => reader.of({ resources: { requests: { cpu: String(cpu) } } });
const asker: Asker = { subscription: "shop/a", previous: () => 2 };

/** What the reservations are, kept in the plainest way. */
function plainly(all: readonly Reservation[], asked: Need): number {
  const displacedBy = displacementOf(asked);
  return all.reduce((sum, { subscription, need, replicas, seen }) => {
    const held = subscription === asker.subscription ? Math.min(replicas, asker.previous("", PARIS)) : replicas;
    return sum + displacedBy(need, Math.max(0, held - seen));
  }, 0);
}

const step = fc.record({
  subscription: fc.constantFrom("shop/a", "shop/b"),
  feed: fc.constantFrom("web", "api", "jobs"),
  cpu: fc.integer({ min: 1, max: 3 }),
  replicas: fc.nat({ max: 5 }),
  does: fc.constantFrom("put", "delete", "see", "forget"),
});

test("whatever is put, shown and forgotten, the room that is gone is that of each reservation", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 3 }), (steps, asked) => {
      const reservations = new Reservations(PARIS);
      let plain: readonly Reservation[] = [];
      for (const [atMs, { subscription, feed, cpu, replicas, does }] of steps.entries()) {
        const others = plain.filter((one) => one.subscription !== subscription || one.feed !== feed);
        if (does === "put") {
          const reservation = { subscription, feed, need: needOf(cpu), replicas, seen: 0, atMs };
          reservations.put(reservation);
          plain = [...others, reservation];
        } else if (does === "delete") {
          reservations.delete({ subscription, feed });
          plain = others;
        } else if (does === "see") {
          reservations.see({ [feed]: replicas }, atMs);
          plain = plain.flatMap((one) =>
            one.feed !== feed ? [one] : one.replicas <= replicas ? [] : [{ ...one, seen: replicas }],
          );
        } else {
          reservations.forgetUntil(atMs - 5);
          plain = plain.filter((one) => one.atMs > atMs - 5);
        }
        expect(reservations.size).toBe(plain.length);
        expect(reservations.displaced(needOf(asked), asker)).toBe(plainly(plain, needOf(asked)));
      }
    }),
  );
});

test("of more than a thousand the oldest goes", () => {
  const reservations = new Reservations(PARIS);
  for (let index = 0; index < 1_001; index += 1)
    reservations.put({ subscription: "shop/b", feed: String(index), need: needOf(1), replicas: 1, seen: 0, atMs: index });
  expect(reservations.size).toBe(1_000);
  expect(reservations.get("shop/b", "0")).toBeUndefined();
  expect(reservations.displaced(needOf(1), asker)).toBe(1_000);
});
