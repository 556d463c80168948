import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AbortCauseSchema } from "@greco/contracts/greco/commit/v1/commit";
import { expect, it } from "vitest";
import { REASONS } from "./reasons.ts";

const root = join(import.meta.dirname, "../../..");

/** What a user never sees a reason of: the clients, the tests, and what is generated. */
const NO_SOURCES = [
  "apps/cli",
  "apps/demo",
  "apps/dev",
  "libs/contracts",
  "libs/simulation",
  "libs/entity-files",
];
const NO_REASONS = new Set([
  // gRPC's codes.
  ...["ALREADY_EXISTS", "FAILED_PRECONDITION", "INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED"],
  ...[
    "UNAVAILABLE",
    "UNIMPLEMENTED",
    "UNKNOWN",
    "RESOURCE_EXHAUSTED",
    "ABORTED",
    "DATA_LOSS",
    "UNAUTHENTICATED",
  ],
  // Node's, the system's and SQL's words.
  ...[
    "ENOENT",
    "EEXIST",
    "EPERM",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ENOTFOUND",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "ERR_WORKER_OUT_OF_MEMORY",
    "SIGINT",
    "SIGKILL",
    "SIGTERM",
    "JWT",
    "OKP",
  ],
  // OpenTelemetry's variables.
  ...["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED"],
  ...["ASC", "DESC", "BEGIN", "COMMIT", "ROLLBACK", "OPTIONS", "UTC"],
  // What a setting's help shows, a method of HTTP, a kind of write, an engine's name.
  ...["VALUE", "TEXT", "FILE", "OK", "GET", "CAS", "NATS"],
  // What AWS and the region of a conductor call a state.
  ...["IN_PROGRESS", "READY"],
  // Parts of reasons that are looked for.
  ...["REGISTERED", "INCARNATION"],
]);

/** Variables of the environment: Greco's, and those that AWS Lambda sets itself. */
const isVariable = (literal: string): boolean =>
  literal.startsWith("GRECO_") ||
  literal.startsWith("AWS_") ||
  /^LAMBDA_(RUNTIME_DIR|TASK_ROOT)$/.test(literal);

const isSource = (file: string): boolean =>
  file.endsWith(".ts") &&
  !/\.(spec|int|e2e|engine|contract|bench)\.ts$/.test(file) &&
  !/(^|\/)testing\//.test(file);

/** Every UPPER_SNAKE literal: reasons pass through helpers, so no pattern of calls would find them all. */
function literalsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  return [...code.matchAll(/"([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)*)"/g)].map(([, literal = ""]) => literal);
}

function reasonsInSources(): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of ["apps", "libs", "libs/adapters", "libs/sdk"])
    for (const name of readdirSync(join(root, folder))) {
      const source = join(folder, name, "src");
      if (NO_SOURCES.includes(`${folder}/${name}`) || !existsSync(join(root, source))) continue;
      for (const file of readdirSync(join(root, source), { recursive: true, encoding: "utf8" }).filter(
        isSource,
      ))
        for (const literal of literalsOf(readFileSync(join(root, source, file), "utf8")))
          if (!NO_REASONS.has(literal) && !isVariable(literal)) found.set(literal, join(source, file));
    }
  return found;
}

const inSources = reasonsInSources();
/** What a proposal's `aborted (vetoed)` says. */
const causes = AbortCauseSchema.values
  .map(({ localName }) => localName)
  .filter((name) => name !== "UNSPECIFIED");

it("explains every reason that the sources can give (or it stands in NO_REASONS, because it is none)", () => {
  const missing = [...inSources].filter(([reason]) => REASONS[reason] === undefined);
  expect(missing).toEqual([]);
  expect(causes.filter((cause) => REASONS[cause] === undefined)).toEqual([]);
});

it("explains no reason that does not exist any more", () => {
  const gone = Object.keys(REASONS).filter((reason) => !inSources.has(reason) && !causes.includes(reason));
  expect(gone).toEqual([]);
});

it("says of each what it means and what to do, as a line each, without a full stop", () => {
  const odd = Object.entries(REASONS).filter(([, { means, next }]) =>
    [means, next].some((text) => text.length < 4 || /[.\n]$/.test(text) || text.length > 160),
  );
  expect(odd).toEqual([]);
});
