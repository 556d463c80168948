// Three projects: specs beside their sources, many and quick; the slow ones, which start whole services, bind
// ports or kill processes, and wait more than they work, so two files at a time; and those that need real servers, which
// tools/servers installs and starts when the first of them asks (`npm test -- --embedded-only` leaves them out).
import { defineConfig } from "vitest/config";

const ignored = ["**/node_modules/**", "**/.cache/**", "**/dist/**"];

export default defineConfig({
  cacheDir: ".cache/vite",
  test: {
    // Sharing one module graph per worker is what makes the suite quick (docs/decisions/0001-versions.md); a spec
    // that leaves state behind in a module breaks its neighbours, which STYLE 13 forbids anyway.
    isolate: false,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["{apps,libs,tools}/**/*.spec.ts"],
          exclude: ignored,
          pool: "threads",
          // A hung test must end; a slow machine must not decide one.
          testTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "slow",
          include: ["{apps,libs,tools}/**/*.{int,e2e}.ts"],
          exclude: ignored,
          pool: "forks",
          maxWorkers: 2,
          testTimeout: 120_000,
          hookTimeout: 60_000,
          // Tests of whole processes, in one file: more at once than this and two cores do nothing but start them.
          maxConcurrency: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "engines",
          include: ["{apps,libs,tools}/**/*.engine.ts"],
          exclude: ignored,
          globalSetup: ["tools/servers/global-setup.ts"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 180_000,
          // The first test that asks for a server may have to build it.
          hookTimeout: 600_000,
          sequence: { groupOrder: 2 },
        },
      },
      // Clusters that are broken again and again, for long: `npm run test:soak`; `npm test` leaves them out.
      {
        extends: true,
        test: {
          name: "soak",
          include: ["{apps,libs,tools}/**/*.soak.ts"],
          exclude: ignored,
          globalSetup: ["tools/servers/global-setup.ts"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 3_600_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
