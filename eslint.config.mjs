// Lint rules: what the compiler cannot see. Layers are .dependency-cruiser.mjs, unused code is knip.json.

import js from "@eslint/js";
import tseslint from "typescript-eslint";

const bans = [
  [
    "Math.random",
    "callee.object.name='Math'][callee.property.name='random'",
    "Pass randomness in, or use #std/backoff.ts or node:crypto",
  ],
];

export default tseslint.config(
  { ignores: ["node_modules/", "dist/", "deploy/", "docs/", "examples/*/node_modules/"] },
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "max-params": ["error", 3],
      "max-lines-per-function": ["error", { max: 70, skipBlankLines: true, skipComments: true }],
      "max-depth": ["error", 4],
      eqeqeq: "error",
      "no-param-reassign": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      // `const { left, out, ...rest } = object` is how a property is left out.
      "@typescript-eslint/no-unused-vars": [
        "error",
        { ignoreRestSiblings: true, argsIgnorePattern: "^_", varsIgnorePattern: "^_" },
      ],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/no-unnecessary-condition": ["error", { allowConstantLoopConditions: "only-allowed-literals" }],
      "no-restricted-syntax": [
        "error",
        { selector: "ExportDefaultDeclaration", message: "Export by name, so that every importer uses the same one" },
        { selector: "ExportAllDeclaration", message: "Import from the source file: no barrels" },
        { selector: "ImportDeclaration[source.value=/^\\.\\.\\//]", message: "Use a # import: the import line shows the layer" },
      ],
    },
  },
  {
    files: ["runtime/**/*.ts", "cluster-api-integration/**/*.ts"],
    ignores: ["**/*.test.ts", "runtime/std/**"],
    rules: {
      "no-restricted-properties": [
        "error",
        { object: "Date", property: "now", message: "Take a Clock from #std/clock.ts, so that tests can move time" },
        { object: "process", property: "env", message: "Only the process entry reads the environment: take it as an argument" },
        ...bans.map(([, , message]) => ({ object: "Math", property: "random", message })),
      ],
      "no-restricted-globals": [
        "error",
        { name: "setInterval", message: "Loop on clock.sleep(), so that it can be stopped and tested" },
      ],
    },
  },
  {
    files: ["**/*.test.ts", "test/**/*.ts", "tools/**/*.ts"],
    rules: { "max-lines-per-function": "off", "@typescript-eslint/no-non-null-assertion": "off" },
  },
  {
    files: ["**/*.mjs"],
    languageOptions: { globals: { process: "readonly", console: "readonly", URL: "readonly", Buffer: "readonly" } },
  },
);
