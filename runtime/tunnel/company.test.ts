// Company: who has the tunnel for itself.
import { expect, test } from "@jest/globals";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { Company } from "./company.ts";

test("a stream is alone when no other one moved for 50 ms, however long the others have been open", async () => {
  const clock = createFakeClock();
  const company = new Company(clock);
  company.moved(1);
  company.moved(3);
  expect(company.isAlone(3)).toBe(false);
  await clock.advance(49);
  company.moved(3);
  expect(company.isAlone(3)).toBe(false);
  await clock.advance(1);
  expect(company.isAlone(3)).toBe(true);
  expect(company.isAlone(1)).toBe(false);
  company.moved(1);
  expect(company.isAlone(3)).toBe(false);
});
