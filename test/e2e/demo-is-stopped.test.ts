// Ctrl-C at any point of `npm start` leaves no process and no file.

import { once } from "node:events";
import { expect, test } from "@jest/globals";
import { DEMO_MS_MAX, demoPlace } from "#test/e2e/run-demo.ts";
import { eventually } from "#test/framework/eventually.ts";

const STOP_MS_MAX = 60_000;

test.each(["Starting one parent", "pulumi:"])(
  "Ctrl-C after %j stops everything and removes everything",
  async (moment) => {
    await using place = await demoPlace();
    const demo = place.start();
    await eventually(`the demo prints ${JSON.stringify(moment)}`, () => demo.output().includes(moment), {
      timeoutMs: DEMO_MS_MAX,
    });
    demo.process.kill("SIGINT");
    const startedAt = performance.now();
    const [code] = (await once(demo.process, "exit")) as [number];
    expect(performance.now() - startedAt).toBeLessThan(STOP_MS_MAX);
    expect(code).toBe(1);
    await eventually("no file is left", async () => (await place.leftFiles()).length === 0);
  },
  DEMO_MS_MAX,
);
