// The module boundaries alone, without types: quick enough to run uncached, so that a change of a package's tags,
// which ESLint's cache does not see, is always noticed.
import tseslint from "typescript-eslint";
import { boundaries } from "./tools/lint/boundaries.mjs";

export default [
  { ignores: ["**/node_modules/**", "libs/contracts/src/gen/**", ".cache/**", "tools/**"] },
  {
    files: ["**/*.ts"],
    languageOptions: { parser: tseslint.parser },
    plugins: { "@typescript-eslint": tseslint.plugin },
    // Most rules are not on here, so that directives against them have nothing to do.
    linterOptions: { reportUnusedDisableDirectives: "off" },
  },
  ...boundaries,
];
