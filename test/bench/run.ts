// `npm run bench -- NAME… [--json FILE]`: runs test/bench/NAME.ts, prints its measurements as a table, writes them as JSON.
//
// A bench module exports `run(print): Promise<Measurement[]>`; `print` shows progress. Names end in what the value is.

import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

export interface Measurement {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

type Bench = (print: (line: string) => void) => Promise<readonly Measurement[]>;

const NAME_WIDTH = 44;
const VALUE_WIDTH = 14;

// What a user's processes do not have.
delete process.env["NODE_COMPILE_CACHE"];
const { positionals, values } = parseArgs({ allowPositionals: true, options: { json: { type: "string" } } });
const benches = await findBenches();
if (positionals.length === 0 || positionals.some((name) => !benches.has(name))) {
  process.stderr.write(`Usage: npm run bench -- NAME… [--json FILE]\nNames: ${[...benches.keys()].join(", ")}\n`);
  process.exit(2);
}

const measurements: Measurement[] = [];
for (const name of positionals) {
  const bench = benches.get(name);
  if (bench === undefined) continue;
  measurements.push(...(await bench((line) => process.stderr.write(`${name}: ${line}\n`))));
}
for (const { name, value, unit } of measurements) {
  process.stdout.write(`${name.padEnd(NAME_WIDTH)}${rounded(value).padStart(VALUE_WIDTH)}  ${unit}\n`);
}
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(measurements, undefined, 2)}\n`);

/** Files of this folder named like a bench: helpers of one are called `<bench>-<part>.ts`, so they have no `run`. */
async function findBenches(): Promise<Map<string, Bench>> {
  const names = (await readdir(import.meta.dirname)).filter((name) => name.endsWith(".ts") && name !== "run.ts");
  const found = new Map<string, Bench>();
  for (const file of names.filter((name) => /^[a-z]+\.ts$/.test(name))) {
    const name = file.slice(0, -".ts".length);
    if (!positionals.includes(name)) {
      found.set(name, () => Promise.resolve([]));
      continue;
    }
    const module: unknown = await import(pathToFileURL(join(import.meta.dirname, file)).href);
    if (isBenchModule(module)) found.set(name, module.run);
  }
  return found;
}

function isBenchModule(module: unknown): module is { readonly run: Bench } {
  return typeof module === "object" && module !== null && "run" in module && typeof module.run === "function";
}

function rounded(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 3;
  return value.toFixed(digits);
}
