// Needs: read once, compared exactly.

import { expect, test } from "@jest/globals";
import type { PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";
import { displacementOf, NeedReader } from "./capacity-need.ts";

const asks = (requests: Readonly<Record<string, string>>, limits = {}): PredictRequest => ({ resources: { requests, limits } });

test("equal needs are one, however they are written and whatever else the question says", () => {
  const reader = new NeedReader();
  const need = reader.of({ ...asks({ cpu: "1", memory: "1Gi" }), namespace: "shop" });
  expect(reader.of(asks({ memory: "1Gi" }, { cpu: "1" }))).toBe(need);
  expect(reader.of(asks({ cpu: "1" }))).not.toBe(need);
});

test("however many needs are read, each is read right", () => {
  const reader = new NeedReader();
  for (let cpu = 1; cpu <= 3_000; cpu += 1) {
    const { amounts } = reader.of(asks({ cpu: String(cpu) }));
    expect(amounts.get("cpu")).toBe(BigInt(cpu) * 1_000_000_000n);
  }
});

const cases = [
  { it: "rounds up", taken: { cpu: "1" }, replicas: 3, asked: { cpu: "2" }, displaced: 2 },
  {
    it: "counts what is scarcest",
    taken: { cpu: "1", memory: "4Gi" },
    replicas: 2,
    asked: { cpu: "1", memory: "1Gi" },
    displaced: 8,
  },
  { it: "leaves other resources alone", taken: { memory: "1Gi" }, replicas: 2, asked: { cpu: "1" }, displaced: 0 },
  { it: "counts slots between feeds that need nothing", taken: {}, replicas: 2, asked: {}, displaced: 2 },
  { it: "counts no slot for a feed that needs something", taken: { cpu: "1" }, replicas: 2, asked: {}, displaced: 0 },
];

test.each(cases)("what placements displace $it", ({ taken, replicas, asked, displaced }) => {
  const reader = new NeedReader();
  const displace = displacementOf(reader.of(asks(asked)));
  for (let again = 0; again < 2; again += 1) expect(displace(reader.of(asks(taken)), replicas)).toBe(displaced);
});
