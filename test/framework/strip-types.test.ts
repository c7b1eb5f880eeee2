// What Jest's workers do besides reading TypeScript: they end with Jest.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "@jest/globals";

test("a worker ends when Jest is gone, though its test still waits", async () => {
  const transform = join(import.meta.dirname, "strip-types.mjs");
  const waiting = `await import(${JSON.stringify(transform)}); setInterval(() => undefined, 1_000); process.send("waits");`;
  const worker = spawn(process.execPath, ["--input-type=module", "--eval", waiting], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  await once(worker, "message");
  worker.disconnect();
  expect(await once(worker, "exit")).toEqual([1, null]);
});
