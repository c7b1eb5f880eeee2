import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { ByteBudget, ReceiveWindow, SendCredit } from "./flow-control.ts";

const KIB = 1024;

describe("credit", () => {
  test("a sender and a window that follow the rules: credit is never negative, bytes under way never exceed the window", () => {
    const steps = fc.array(
      fc.record({
        send: fc.nat(64 * KIB),
        consumeShare: fc.double({ min: 0, max: 1, noNaN: true }),
        afterMs: fc.nat(50),
        isAlone: fc.boolean(),
      }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(steps, (sequence) => {
        const budget = new ByteBudget(32 * KIB * KIB);
        const credit = new SendCredit(256 * KIB);
        const window = new ReceiveWindow({ initialBytes: 256 * KIB, maxBytes: 4096 * KIB, aloneBytes: 1024 * KIB, budget });
        let nowMs = 0;
        let unread = 0;
        for (const { send, consumeShare, afterMs, isAlone } of sequence) {
          nowMs += afterMs;
          const sent = Math.min(send, credit.available);
          credit.take(sent);
          expect(window.receive(sent)).toBe(true);
          unread += sent;
          const read = Math.floor(unread * consumeShare);
          window.consume(read);
          unread -= read;
          if (window.isReturnDue) {
            const returned = window.takeReturn({ nowMs, roundTripMs: 20, isAlone });
            expect(returned).toBeGreaterThanOrEqual(0);
            expect(credit.grant(returned)).toBe(true);
          }
          expect(credit.available).toBeGreaterThanOrEqual(0);
          expect(credit.available + unread).toBeLessThanOrEqual(window.windowBytes);
          expect(window.windowBytes).toBeLessThanOrEqual(4096 * KIB);
          expect(budget.grownBytes).toBe(window.windowBytes - 256 * KIB);
        }
        window.release();
        expect(budget.grownBytes).toBe(0);
      }),
    );
  });

  test("a window never stands still: a reader that takes everything always makes room", () => {
    const window = new ReceiveWindow({
      initialBytes: 4 * KIB,
      maxBytes: 4 * KIB,
      aloneBytes: 1024 * KIB,
      budget: new ByteBudget(KIB),
    });
    window.receive(4 * KIB);
    window.consume(4 * KIB);
    expect(window.isReturnDue).toBe(true);
    expect(window.takeReturn({ nowMs: 0, roundTripMs: 1, isAlone: false })).toBe(4 * KIB);
  });

  // A path with a round trip of 40 ms that carries `pathKibPerMs`: a window's worth takes as long as the slower of the two.
  test.each([
    { it: "doubles for as long as that makes the stream faster", pathKibPerMs: 1000, windowKib: 4096 },
    { it: "goes back when doubling it no longer helps", pathKibPerMs: 20, windowKib: 1024 },
    { it: "stays when the reader or the path is slower", pathKibPerMs: 1, windowKib: 256 },
  ])("a window $it", ({ pathKibPerMs, windowKib }) => {
    const window = new ReceiveWindow({
      initialBytes: 256 * KIB,
      maxBytes: 4096 * KIB,
      aloneBytes: 1024 * KIB,
      budget: new ByteBudget(32 * KIB * KIB),
    });
    let nowMs = 0;
    const seen: number[] = [];
    for (let turn = 0; turn < 400; turn += 1) {
      const half = window.windowBytes / 2;
      nowMs += Math.max(20, half / KIB / pathKibPerMs);
      window.receive(half);
      window.consume(half);
      window.takeReturn({ nowMs, roundTripMs: 40, isAlone: false });
      seen.push(window.windowBytes);
    }
    const settled = seen.slice(-300).toSorted((a, b) => a - b);
    expect(settled[150]).toBe(windowKib * KIB);
  });

  test("a stream that is alone borrows room, and gives it back when there is company", () => {
    const budget = new ByteBudget(32 * KIB * KIB);
    const window = new ReceiveWindow({ initialBytes: 256 * KIB, maxBytes: 4096 * KIB, aloneBytes: 1024 * KIB, budget });
    const turn = (isAlone: boolean, nowMs: number): number => {
      window.receive(128 * KIB);
      window.consume(128 * KIB);
      return window.takeReturn({ nowMs, roundTripMs: 0.2, isAlone });
    };
    expect(turn(false, 0)).toBe(128 * KIB);
    expect(turn(true, 1)).toBe((128 + 768) * KIB);
    expect(turn(true, 2)).toBe(128 * KIB);
    expect(window.windowBytes).toBe(1024 * KIB);
    // Six returns are withheld until the window is what it was.
    expect([3, 4, 5, 6, 7, 8, 9].map((nowMs) => turn(false, nowMs))).toEqual([0, 0, 0, 0, 0, 0, 128 * KIB]);
    expect(window.windowBytes).toBe(256 * KIB);
    expect(budget.grownBytes).toBe(0);
  });

  test("more than the credit is seen", () => {
    const window = new ReceiveWindow({ initialBytes: 10, maxBytes: 10, aloneBytes: 10, budget: new ByteBudget(10) });
    expect(window.receive(11)).toBe(false);
    expect(new SendCredit(1).grant(0x7f_ff_ff_ff)).toBe(false);
    expect(() => new SendCredit(1).take(2)).toThrow("below zero");
  });
});

describe("a budget", () => {
  test("counts in its parent too", () => {
    const ofProcess = new ByteBudget(100);
    const [first, second] = [new ByteBudget(80, ofProcess), new ByteBudget(80, ofProcess)];
    expect(first.addWaiting(70)).toBe(true);
    expect(second.addWaiting(40)).toBe(false);
    second.removeWaiting(40);
    expect(ofProcess.waitingBytes).toBe(70);
    expect(first.addWaiting(20)).toBe(false);
  });

  test("lets windows grow by half of it", () => {
    const ofProcess = new ByteBudget(100);
    const [first, second] = [new ByteBudget(80, ofProcess), new ByteBudget(80, ofProcess)];
    expect(first.tryGrow(41)).toBe(false);
    expect(first.tryGrow(40)).toBe(true);
    expect(second.tryGrow(20)).toBe(false);
    first.shrink(40);
    expect(second.tryGrow(20)).toBe(true);
    expect(ofProcess.grownBytes).toBe(20);
  });
});
