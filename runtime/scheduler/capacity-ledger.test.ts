// CapacityLedger: what was placed is not given away twice, until the cluster shows it or it is too old.
import { beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";
import { CapacityLedger, type Placement } from "./capacity-ledger.ts";
import type { CapacityAnswer } from "./capacity.ts";

const PARIS = "paris/paris";
const WEB = "apps/v1/Deployment/shop/web";
const asks = (requests: Readonly<Record<string, string>>): PredictRequest => ({ resources: { requests } });
const oneCpu = asks({ cpu: "1" });
const fits = (replicas: number): CapacityAnswer => ({ type: "fits", replicas });
const placed = (replicas: number, more: Partial<Placement> = {}): Placement => {
  const web = { cluster: PARIS, feed: WEB, subscription: "shop/web", request: oneCpu, previous: 0 };
  return { ...web, replicas, ...more };
};
let ledger: CapacityLedger;

beforeEach(() => {
  ledger = new CapacityLedger({ answerMsMax: 10_000, reservationMsMax: 60_000 });
});

const other = { subscription: "shop/other", previous: () => 0 };
const room = (replicas: number, { request = oneCpu, nowMs = 100, cluster = PARIS, asker = other } = {}): CapacityAnswer =>
  ledger.unreserved({ cluster, request, nowMs, asker }, fits(replicas));

describe("answers", () => {
  test("are good for a while, for the same question and cluster", () => {
    ledger.keep(PARIS, { key: "a" }, { answer: fits(5), askedAtMs: 1_000 });
    expect(ledger.fresh(PARIS, { key: "a" }, 10_999)).toEqual(fits(5));
    expect(ledger.fresh(PARIS, { key: "a" }, 11_000)).toBeUndefined();
    expect(ledger.fresh(PARIS, { key: "b" }, 1_000)).toBeUndefined();
    expect(ledger.fresh("oslo/oslo", { key: "a" }, 1_000)).toBeUndefined();
  });

  test("are forgotten when the cluster changes; what was placed there is not", () => {
    ledger.keep(PARIS, { key: "a" }, { answer: fits(5), askedAtMs: 0 });
    ledger.reserve(placed(2), 50);
    ledger.forgetAnswers(PARIS);
    expect(ledger.fresh(PARIS, { key: "a" }, 100)).toBeUndefined();
    expect(room(5)).toEqual(fits(3));
    ledger.forget(PARIS);
    expect(room(5)).toEqual(fits(5));
  });

  test("are bounded in number", () => {
    for (let index = 0; index < 300; index += 1) {
      ledger.keep(PARIS, { key: String(index) }, { answer: fits(index), askedAtMs: 0 });
    }
    expect(ledger.fresh(PARIS, { key: "0" }, 1)).toBeUndefined();
    expect(ledger.fresh(PARIS, { key: "299" }, 1)).toEqual(fits(299));
  });
});

describe("a placement", () => {
  test("takes its room at once, in its cluster only", () => {
    ledger.reserve(placed(3), 50);
    expect(room(10)).toEqual(fits(7));
    expect(room(2)).toEqual(fits(0));
    expect(room(10, { cluster: "oslo/oslo" })).toEqual(fits(10));
    expect(ledger.reservations).toBe(1);
  });

  test("counts only what is more than before", () => {
    ledger.reserve(placed(5, { previous: 3 }), 50);
    expect(room(10)).toEqual(fits(8));
    ledger.reserve(placed(1, { previous: 3, feed: "less" }), 50);
    expect(room(10)).toEqual(fits(8));
  });

  test("is held until the cluster shows its pods, asked after it", () => {
    ledger.reserve(placed(4), 50);
    const says = (askedAtMs: number, pods: number): void => {
      ledger.keep(PARIS, { key: "a" }, { answer: fits(10), askedAtMs, placed: { [WEB]: pods } });
    };
    says(49, 4);
    expect(room(10)).toEqual(fits(6));
    says(51, 1);
    expect(room(10)).toEqual(fits(7));
    says(52, 4);
    expect(room(10)).toEqual(fits(10));
    expect(ledger.reservations).toBe(0);
  });

  test("that is decided again is not held twice, and goes on from what was seen", () => {
    ledger.reserve(placed(4), 50);
    ledger.keep(PARIS, { key: "a" }, { answer: fits(10), askedAtMs: 51, placed: { [WEB]: 3 } });
    ledger.reserve(placed(6, { previous: 4 }), 60);
    expect(room(10)).toEqual(fits(7));
    ledger.reserve(placed(2, { previous: 6 }), 70);
    expect(room(10)).toEqual(fits(10));
  });

  test("does not stand in the way of who made it and could not write it; once written it is taken for placed", () => {
    ledger.reserve(placed(6), 50);
    const asker = (previous: number) => ({ subscription: "shop/web", previous: () => previous });
    expect(room(10, { asker: asker(0) })).toEqual(fits(10));
    expect(room(10, { asker: asker(6) })).toEqual(fits(4));
    ledger.keep(PARIS, { key: "a" }, { answer: fits(8), askedAtMs: 60, placed: { [WEB]: 2 } });
    expect(room(8, { asker: asker(6) })).toEqual(fits(4));
  });

  test("that the cluster shows already is not held again by who decides from an old status", () => {
    ledger.reserve(placed(7), 50);
    ledger.keep(PARIS, { key: "a" }, { answer: fits(7), askedAtMs: 60, placed: { [WEB]: 7 } });
    ledger.reserve(placed(7, { previous: 0 }), 70);
    expect(room(7)).toEqual(fits(7));
  });

  test("ends by itself when the cluster never shows it, also when it is decided again unchanged", () => {
    ledger.reserve(placed(4), 0);
    ledger.reserve(placed(4, { previous: 4 }), 59_000);
    expect(room(10, { nowMs: 59_999 })).toEqual(fits(6));
    expect(room(10, { nowMs: 60_000 })).toEqual(fits(10));
  });

  test.each<[string, PredictRequest, PredictRequest, number]>([
    ["by the resource that is displaced most", asks({ cpu: "1", memory: "4Gi" }), asks({ cpu: "1", memory: "1Gi" }), 8],
    ["rounded up", asks({ cpu: "100m" }), oneCpu, 1],
    ["not by what only one of them needs", asks({ memory: "4Gi" }), oneCpu, 0],
    ["by slots when neither asks for anything", {}, {}, 2],
    ["not by slots when one asks for something", {}, oneCpu, 0],
    ["by the limit where no request is set", { resources: { limits: { cpu: "2" } } }, oneCpu, 4],
  ])("displaces others: %s", (...[, taken, request, lost]) => {
    ledger.reserve(placed(2, { request: taken }), 50);
    expect(room(100, { request })).toEqual(fits(100 - lost));
  });

  test("lowers each place to what is left of all", () => {
    ledger.reserve(placed(6), 50);
    const answer = { type: "fits", replicas: 10, byTopology: { zone: { a: 7, b: 3 } } } as const;
    const left = { type: "fits", replicas: 4, byTopology: { zone: { a: 4, b: 3 } } };
    expect(ledger.unreserved({ cluster: PARIS, request: oneCpu, nowMs: 60, asker: other }, answer)).toEqual(left);
  });

  test("leaves silence silence", () => {
    ledger.reserve(placed(6), 50);
    const silent = { type: "silent", reason: "gone" } as const;
    expect(ledger.unreserved({ cluster: PARIS, request: oneCpu, nowMs: 60, asker: other }, silent)).toEqual(silent);
  });
});

test("two that place one after the other never get more than there is", () => {
  fc.assert(
    fc.property(fc.nat(50), fc.array(fc.nat(20), { maxLength: 8 }), (free, wishes) => {
      const own = new CapacityLedger({ answerMsMax: 1, reservationMsMax: 60_000 });
      let given = 0;
      for (const [index, wish] of wishes.entries()) {
        const left = own.unreserved({ cluster: PARIS, request: oneCpu, nowMs: 1, asker: other }, fits(free));
        const gets = Math.min(wish, left.type === "fits" ? left.replicas : 0);
        own.reserve(placed(gets, { subscription: `shop/${String(index)}` }), 1);
        given += gets;
      }
      expect(given).toBe(
        Math.min(
          free,
          wishes.reduce((sum, wish) => sum + wish, 0),
        ),
      );
    }),
  );
});
