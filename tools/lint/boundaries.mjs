// Who may import whom, by the `nx.tags` of each package.json. The picture is in CONTRIBUTING.md.
//
// Arrows point one way: app → kit, adapter → port → domain. The apps of the control plane, of the conductors
// and of the data plane never import each other: they meet only in contracts, over a wire.
import nx from "@nx/eslint-plugin";
import { createProjectGraphAsync } from "nx/src/devkit-exports.js";

// The rule reads Nx's graph from its cache and, finding none, only warns and checks nothing. So the graph is made
// here, where a failure is a failure of the lint. No daemon: a lint should leave no process behind.
process.env["NX_DAEMON"] = "false";
await createProjectGraphAsync();

const mayImport = {
  "type:domain": ["type:domain"],
  "type:contracts": ["type:contracts"],
  "type:port": ["type:port", "type:domain"],
  "type:lib": ["type:lib", "type:domain"],
  "type:adapter": ["type:adapter", "type:port", "type:domain", "type:lib"],
  // A kit may call services; the SDK knows only contracts, so that no arrow comes back.
  "type:kit": ["type:kit", "type:port", "type:domain", "type:contracts", "type:lib", "type:sdk"],
  "type:sdk": ["type:sdk", "type:contracts", "type:domain"],
  "type:app": [
    "type:kit",
    "type:port",
    "type:domain",
    "type:contracts",
    "type:lib",
    "type:sdk",
    "type:adapter",
    "type:wiring",
  ],
  // Opens adapters from a configuration, for the apps' main.ts (see purity.mjs).
  "type:wiring": ["type:adapter", "type:port", "type:kit", "type:domain", "type:lib", "type:contracts"],
  "type:cli": ["type:sdk", "type:contracts", "type:domain", "type:lib"],
  "type:testing": ["type:testing", "type:port", "type:domain", "type:lib"],
  "type:composition": ["*"],
};

/** A test may run its subject on any adapter, behind a server and in simulation; the subject may not know them. */
const testsMayAlsoImport = ["type:adapter", "type:testing", "type:port", "type:kit"];

/** Beside that, the test of an app may run another app of its plane: the coordinator's runs the registry. */
const testsOfMayImport = { "type:app": ["type:app"] };

const planes = ["plane:control", "plane:conductor", "plane:data"];

const constraints = (alsoAllowed, alsoAllowedTo = {}) => [
  ...Object.entries(mayImport).map(([sourceTag, allowed]) => ({
    sourceTag,
    onlyDependOnLibsWithTags: [...new Set([...allowed, ...alsoAllowed, ...(alsoAllowedTo[sourceTag] ?? [])])],
  })),
  ...planes.map((sourceTag) => ({
    sourceTag,
    notDependOnLibsWithTags: planes.filter((plane) => plane !== sourceTag),
  })),
];

/** Tests and the demo start real servers with them; they are no packages, since nothing that is deployed may need them. */
const serversOfTests = "^(\\.\\./)+tools/(servers|lambda-faults)/[a-z-]+\\.ts$";

const rule = (alsoAllowed, alsoAllowedTo, allow = []) => ({
  "@nx/enforce-module-boundaries": [
    "error",
    {
      // Nothing is built, so the distinction between buildable and other libraries has no meaning here.
      enforceBuildableLibDependency: false,
      allowCircularSelfDependency: false,
      allow,
      depConstraints: constraints(alsoAllowed, alsoAllowedTo),
    },
  ],
});

const sources = ["apps/*/src/**/*.ts", "libs/**/src/**/*.ts"];

export const testFiles = [
  "**/*.spec.ts",
  "**/*.int.ts",
  "**/*.e2e.ts",
  "**/*.engine.ts",
  "**/*.soak.ts",
  "**/*.contract.ts",
  "**/src/testing/**/*.ts",
];

export const boundaries = [
  { files: sources, plugins: { "@nx": nx }, rules: rule([]) },
  {
    files: [
      ...["**/*.spec.ts", "**/*.int.ts", "**/*.e2e.ts", "**/*.engine.ts", "**/*.soak.ts"],
      "**/src/testing/**/*.ts",
    ],
    plugins: { "@nx": nx },
    rules: rule(testsMayAlsoImport, testsOfMayImport, [serversOfTests]),
  },
  {
    files: ["apps/demo/src/**/*.ts"],
    plugins: { "@nx": nx },
    rules: rule(testsMayAlsoImport, testsOfMayImport, [serversOfTests]),
  },
];
