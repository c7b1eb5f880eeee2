// `npm start` itself: every step is shown, the report says so, and nothing is left.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { DEMO_MS_MAX, demoPlace } from "#test/e2e/run-demo.ts";

test(
  "shows every step, writes the report and leaves nothing",
  async () => {
    await using place = await demoPlace();
    const report = join(place.directory, "report.json");
    const demo = place.start(["--json", report]);
    const [code] = (await once(demo.process, "exit")) as [number];
    const { ok, seconds, steps } = JSON.parse(await readFile(report, "utf8")) as {
      ok: boolean;
      seconds: number;
      steps: { name: string; ok: boolean; seconds: number; detail: string }[];
    };
    if (!ok) throw new Error(demo.output());
    expect(code).toBe(0);
    expect(seconds).toBeGreaterThan(0);
    expect(steps.map((step) => step.ok)).toEqual(Array(9).fill(true));
    expect(await place.leftFiles()).toEqual([]);
  },
  DEMO_MS_MAX,
);
