// Two projects: "unit" runs anywhere in seconds, "real" runs on real control planes (see test/README.md).
import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";

/** A real test has up to four control planes, of half a gigabyte each. */
const WORKER_BYTES = 3 * 1024 ** 3;
/** Each control plane watches its certificates with eight inotify instances, and Linux gives a user 128 unless told otherwise. */
const WORKER_INOTIFY_INSTANCES = 40;

/** One for each core, not one less as Jest would: they wait. A third one for two cores makes the files slower by what it saves. */
const wanted = Math.min(availableParallelism(), totalmem() / WORKER_BYTES, inotifyInstances() / WORKER_INOTIFY_INSTANCES);
const maxWorkers = Math.max(1, Math.floor(wanted));

function inotifyInstances() {
  try {
    return Number(readFileSync("/proc/sys/fs/inotify/max_user_instances", "utf8"));
  } catch {
    // Not Linux: no such limit.
    return Infinity;
  }
}

const shared = {
  extensionsToTreatAsEsm: [".ts"],
  moduleFileExtensions: ["ts", "mjs", "js", "cjs", "json", "node"],
  transform: { "\\.ts$": "<rootDir>/test/framework/strip-types.mjs" },
  testEnvironment: "node",
  modulePathIgnorePatterns: ["<rootDir>/dist/"],
};

const realTests = ["<rootDir>/**/*.real.test.ts", "<rootDir>/test/{scenarios,conformance,interop,e2e}/**/*.test.ts"];

export default {
  maxWorkers,
  testSequencer: "<rootDir>/test/framework/longest-first.mjs",
  projects: [
    {
      ...shared,
      displayName: "unit",
      setupFilesAfterEnv: ["<rootDir>/test/framework/jest-unit-setup.mjs"],
      // Half of what Pulumi's SDK loads, anew for each test file, only serves functions that are deployed as cloud functions.
      moduleNameMapper: { "^@npmcli/arborist$|/typescript-shim$": "<rootDir>/test/framework/left-out.cjs" },
      testMatch: ["<rootDir>/**/*.test.ts"],
      testPathIgnorePatterns: ["/node_modules/", "\\.real\\.test\\.ts$", "<rootDir>/test/(scenarios|conformance|interop|e2e)/"],
    },
    {
      ...shared,
      displayName: "real",
      testMatch: realTests,
      globalSetup: "<rootDir>/test/framework/jest-global-setup.mjs",
      globalTeardown: "<rootDir>/test/framework/jest-global-teardown.mjs",
      setupFilesAfterEnv: ["<rootDir>/test/framework/jest-real-setup.mjs"],
    },
  ],
};
