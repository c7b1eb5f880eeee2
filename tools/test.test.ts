// The last line of `npm test`, and what Jest is started with.
import { describe, expect, test } from "@jest/globals";
import { jestArguments, summaryOf } from "#tools/test.ts";

const results = { numPassedTests: 5, numFailedTests: 0, numPendingTests: 1, numTodoTests: 1, numRuntimeErrorTestSuites: 0 };

describe("summaryOf", () => {
  test.each([
    { it: "counts exactly", given: results, line: "5 passed, 0 failed, 2 skipped", ok: true },
    { it: "fails on a failed test", given: { ...results, numFailedTests: 2 }, line: "5 passed, 2 failed, 2 skipped", ok: false },
    {
      it: "fails on a file that cannot be loaded",
      given: { ...results, numRuntimeErrorTestSuites: 1 },
      line: "5 passed, 1 failed, 2 skipped",
      ok: false,
    },
    { it: "fails when Jest left no results", given: undefined, line: "0 passed, 1 failed, 0 skipped", ok: false },
  ])("$it", ({ given, line, ok }) => {
    expect(summaryOf(given)).toEqual({ line, ok });
  });
});

test("jestArguments keeps what Jest is to be told, and a path is not taken for a project", () => {
  expect(jestArguments(["--unit", "runtime/std", "-t", "a name"], "/r.json")).toEqual([
    "--selectProjects=unit",
    "--json",
    "--outputFile=/r.json",
    "runtime/std",
    "-t",
    "a name",
  ]);
});
