// Two projects: "unit" runs anywhere in seconds, "real" runs on real control planes (see test/README.md).
const shared = {
  extensionsToTreatAsEsm: [".ts"],
  moduleFileExtensions: ["ts", "mjs", "js", "cjs", "json", "node"],
  transform: { "\\.ts$": "<rootDir>/test/framework/strip-types.mjs" },
  testEnvironment: "node",
  modulePathIgnorePatterns: ["<rootDir>/dist/"],
};

const realTests = ["<rootDir>/**/*.real.test.ts", "<rootDir>/test/{scenarios,conformance,interop,e2e}/**/*.test.ts"];

export default {
  projects: [
    {
      ...shared,
      displayName: "unit",
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
