// `npm run check`: everything that must hold besides the tests. Each step prints its time; a failing one prints what it found.

import { execa } from "execa";

interface Check {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

const checks: readonly Check[] = [
  { name: "types", command: ["tsc", "--noEmit"] },
  { name: "format", command: ["prettier", "--check", "--log-level=warn", "**/*.{ts,mjs}", "*.json"] },
  { name: "lint", command: ["eslint", "--max-warnings=0", "."] },
  {
    name: "layers",
    command: ["depcruise", "--output-type=err", "runtime", "pulumi", "cluster-api-integration", "test", "tools"],
  },
  { name: "unused code", command: ["knip"] },
  { name: "generated files", command: ["node", "tools/generate.ts", "--check"] },
];

const only = process.argv.slice(2);
let failed = 0;
for (const { name, command } of checks.filter((check) => only.length === 0 || only.includes(check.name))) {
  const startedAt = performance.now();
  const [file, ...args] = command;
  const result = await execa(file, args, { preferLocal: true, all: true, reject: false });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  process.stdout.write(`${result.exitCode === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)\n`);
  if (result.exitCode !== 0) {
    failed += 1;
    process.stdout.write(`${result.all}\n`);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
