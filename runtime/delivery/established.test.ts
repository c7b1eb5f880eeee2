import { expect, test } from "@jest/globals";
import type { Client } from "#kube/client.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { isEstablishedInTime } from "./established.ts";

/** A cluster that answers so, the last answer for ever. */
function asking(answers: readonly ("established" | "not yet" | "gone" | "error")[]) {
  const clock = createFakeClock();
  const stopping = new AbortController();
  let asked = 0;
  const get = (): Promise<unknown> => {
    const answer = answers[Math.min(asked, answers.length - 1)];
    asked += 1;
    if (answer === "error") return Promise.reject(new Error("503"));
    const status = answer === "established" ? "True" : "False";
    return Promise.resolve(answer === "gone" ? undefined : { status: { conditions: [{ type: "Established", status }] } });
  };
  const child = { get } as unknown as Client;
  const result = isEstablishedInTime({ name: "teas.shop" }, { child, clock, limitMs: 1_000 }, stopping.signal);
  return { result, clock, stopping, asked: () => asked };
}

test("waits until the cluster serves it, however it answers until then", async () => {
  const { result, clock } = asking(["gone", "error", "not yet", "established"]);
  await clock.advance(500);
  expect(await result).toBe(true);
});

test("gives up when the time is over", async () => {
  const { result, clock } = asking(["not yet"]);
  await clock.advance(2_000);
  expect(await result).toBe(false);
});

test("ends with whoever waits for it", async () => {
  const { result, clock, stopping, asked } = asking(["not yet"]);
  const ended = expect(result).rejects.toThrow("Enough");
  await clock.advance(100);
  stopping.abort(new Error("Enough"));
  await ended;
  const before = asked();
  await clock.advance(500);
  expect(asked()).toBe(before);
});
