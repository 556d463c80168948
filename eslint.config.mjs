// Rules that find bugs or keep the architecture; looks are prettier's business.
import tseslint from "typescript-eslint";
import { boundaries } from "./tools/lint/boundaries.mjs";
import { purity } from "./tools/lint/purity.mjs";

export default [
  {
    ignores: [
      "**/node_modules/**",
      "libs/contracts/src/gen/**",
      ".cache/**",
      ".nx/**",
      "**/dist/**",
      "**/fixtures/**",
    ],
  },
  {
    files: ["**/*.ts"],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    plugins: { "@typescript-eslint": tseslint.plugin },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-empty": "error",
      "no-fallthrough": "error",
      "no-unsafe-finally": "error",
      "no-constant-condition": ["error", { checkLoops: "allExceptWhileTrue" }],
      "no-unused-private-class-members": "error",
      "no-var": "error",
      "prefer-const": "error",
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/ban-ts-comment": "error",
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/no-array-delete": "error",
      "@typescript-eslint/no-base-to-string": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-for-in-array": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/no-misused-spread": ["error", { allow: ["string"] }],
      "@typescript-eslint/no-unnecessary-type-assertion": "error",
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrorsIgnorePattern: "^_" },
      ],
      "@typescript-eslint/only-throw-error": "error",
      "@typescript-eslint/prefer-promise-reject-errors": "error",
      "@typescript-eslint/return-await": ["error", "error-handling-correctness-only"],
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true, allowDefaultCaseForExhaustiveSwitch: true },
      ],
    },
  },
  {
    files: ["**/*.mjs", "**/*.js"],
    rules: { "no-empty": "error", "no-var": "error", "prefer-const": "error", eqeqeq: "error" },
  },
  ...purity,
  ...boundaries,
  // A tool's configuration is found by its default export.
  { files: ["*.config.ts"], rules: { "no-restricted-syntax": "off" } },
];
