#!/usr/bin/env node
// Process entry of the kubectl plugin: `kubectl clusternet …` runs the first kubectl-clusternet on PATH, which is this file.

import { runCli } from "./cli.ts";

process.exitCode = await runCli(process.argv.slice(2), {
  // eslint-disable-next-line no-restricted-properties -- this is the process entry
  env: process.env,
  write: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(text),
});
