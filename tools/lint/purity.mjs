// STYLE 12 as lint: time, chance and identifiers are ports, and libs/domain has no I/O at all.
import { testFiles } from "./boundaries.mjs";

const viaPort =
  "time, chance and identifiers are ports: take a clock, a random or an id source as a parameter";

const impureProperties = [
  { object: "Date", property: "now" },
  { object: "Math", property: "random" },
  { object: "performance", property: "now" },
  { object: "crypto", property: "randomUUID" },
  { object: "crypto", property: "getRandomValues" },
].map((entry) => ({ ...entry, message: viaPort }));

const bareTimers = ["setTimeout", "setInterval", "setImmediate"].map((name) => ({ name, message: viaPort }));

const impureImports = [
  {
    name: "node:crypto",
    importNames: ["randomUUID", "randomBytes", "randomInt", "randomFill"],
    message: viaPort,
  },
  { name: "node:timers", message: viaPort },
  { name: "node:timers/promises", message: viaPort },
  { name: "node:perf_hooks", message: viaPort },
];

const ioGlobals = ["process", "console", "fetch", "performance", "crypto", "queueMicrotask", "navigator"].map(
  (name) => ({ name, message: "libs/domain is pure: no I/O, no clock, no randomness" }),
);

const adapters = {
  group: ["@greco/adapter-*", "@greco/engines"],
  message: "an app meets its adapters only in main.ts, where it is wired",
};

/** `new Date()` reads the clock; `new Date(ms)` does not. */
const newDateWithoutTime = {
  selector: "NewExpression[callee.name='Date'][arguments.length=0]",
  message: viaPort,
};

/** Holds for every file; a later entry of the same rule replaces this one, so each must repeat it. */
const shape = [
  { selector: "ExportAllDeclaration", message: "list the exports one by one" },
  { selector: "ExportDefaultDeclaration", message: "named exports only" },
  {
    selector:
      ":matches(ImportDeclaration, ExportNamedDeclaration, ImportExpression)[source.value=/^\\.{1,2}\\u002f.*\\.js$/]",
    message: "imports end in .ts: Node runs the sources",
  },
];

export const purity = [
  { files: ["**/*.ts"], rules: { "no-restricted-syntax": ["error", ...shape] } },
  {
    files: ["apps/**/*.ts", "libs/**/*.ts"],
    ignores: [
      "libs/adapters/**",
      "libs/service-kit/**",
      "libs/contracts/src/gen/**",
      "apps/demo/**",
      "apps/dev/**",
      "apps/cli/**",
      ...testFiles,
    ],
    rules: {
      "no-restricted-syntax": ["error", ...shape, newDateWithoutTime],
      "no-restricted-properties": ["error", ...impureProperties],
      "no-restricted-globals": ["error", ...bareTimers],
      "no-restricted-imports": ["error", { paths: impureImports }],
      "no-console": "error",
    },
  },
  {
    files: ["apps/{registry,coordinator,conductor-*,ingress,runtime}/src/**/*.ts"],
    ignores: ["apps/*/src/main.ts", ...testFiles],
    rules: { "no-restricted-imports": ["error", { paths: impureImports, patterns: [adapters] }] },
  },
  {
    files: ["libs/domain/src/**/*.ts"],
    ignores: testFiles,
    rules: {
      "no-restricted-globals": ["error", ...bareTimers, ...ioGlobals],
      "no-restricted-imports": [
        "error",
        {
          // Node's modules and npm's alike: what is neither a neighbour nor @greco is not pure domain. Which of
          // @greco it may be is the module boundaries' business. Excepted are three packages that only compute.
          patterns: [
            {
              regex: "^(?![./]|@greco/|@noble/hashes/|canonicalize$|sorted-btree$)",
              message: "libs/domain is pure: it imports neither Node modules nor packages (see purity.mjs)",
            },
          ],
        },
      ],
    },
  },
];
