// `npm test`: runs the Jest projects on the real tools and ends with one plain line, `N passed, N failed, N skipped`.
//
// `--unit` runs the unit tests only, which need no tools. Everything else is passed to Jest: `npm test -- -t "name of a test"`.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorChain } from "#std/errors.ts";
import { resolveTools, toolNames } from "#tools/toolchain.ts";

/** The parts of Jest's `--json` result that count. */
export interface JestResults {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  /** Files that could not even be loaded: none of their tests is counted anywhere else. */
  readonly numRuntimeErrorTestSuites: number;
}

export interface Summary {
  readonly line: string;
  readonly ok: boolean;
}

export function summaryOf(results: JestResults | undefined): Summary {
  // Without results Jest itself has failed.
  if (results === undefined) return { line: "0 passed, 1 failed, 0 skipped", ok: false };
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
  const skipped = results.numPendingTests + results.numTodoTests;
  return {
    line: `${String(results.numPassedTests)} passed, ${String(failed)} failed, ${String(skipped)} skipped`,
    ok: failed === 0,
  };
}

/** A list option such as `--selectProjects` would swallow every word after it, so values are joined with `=`. */
export function jestArguments(argv: readonly string[], resultsFile: string): string[] {
  const isUnit = argv.includes("--unit");
  const rest = argv.filter((argument) => argument !== "--unit");
  return [...(isUnit ? ["--selectProjects=unit"] : []), "--json", `--outputFile=${resultsFile}`, ...rest];
}

async function main(argv: readonly string[]): Promise<number> {
  if (!argv.includes("--unit")) {
    await resolveTools(toolNames, (line) => {
      console.error(line);
    });
  }
  const directory = await mkdtemp(join(tmpdir(), "clusternet-test-results-"));
  try {
    const resultsFile = join(directory, "results.json");
    const code = await runJest(jestArguments(argv, resultsFile));
    const summary = summaryOf(await readResults(resultsFile));
    console.log(summary.line);
    return summary.ok ? code : Math.max(code, 1);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function runJest(jestArgv: readonly string[]): Promise<number> {
  const root = join(import.meta.dirname, "..");
  const jest = join(root, "node_modules", "jest", "bin", "jest.js");
  // Jest reports on standard error; its JSON goes to the file only.
  const flags = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"];
  const child = spawn(process.execPath, [...flags, jest, ...jestArgv], { cwd: root, stdio: ["inherit", "ignore", "inherit"] });
  const forward = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  process.on("SIGINT", forward).on("SIGTERM", forward);
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? 130;
}

async function readResults(file: string): Promise<JestResults | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as JestResults;
  } catch {
    return undefined;
  }
}

if (import.meta.main) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    console.error(errorChain(error));
    console.log(summaryOf(undefined).line);
    process.exitCode = 1;
  }
}
