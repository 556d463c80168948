import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, expectTypeOf, it } from "vitest";
import { config } from "./config-kinds.ts";
import { ConfigError, loadConfig, parseConfig, type ConfigSources } from "./config.ts";

const schema = {
  listen: config.listen("where gRPC is served", { default: { host: "127.0.0.1", port: 0 } }),
  leaseMs: config.integer("a writer's lease, ms", { min: 100, max: 60_000 }, { default: 5_000 }),
  level: config.oneOf("what is logged", ["info", "warn"], { default: "info" }),
  origins: config.list("pages that may call", { default: [] }),
  recover: config.flag("recover at the start", { default: true }),
  tokenFile: config.secretFile("the service's token"),
};

const parse = (sources: ConfigSources) => parseConfig(schema, sources);

function problemsOf(sources: ConfigSources): readonly string[] {
  try {
    parse(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error("it was accepted");
}

it("takes an environment variable that is empty for one that is not set", () => {
  const given = { GRECO_LEASE_MS: "400", GRECO_TOKEN_FILE: "/t" };
  expect(parse({ env: { ...given, GRECO_LEVEL: "" } })).toEqual(parse({ env: given }));
});

it("takes flags before environment before file before default, into a frozen object", () => {
  const got = parse({
    flags: ["--lease-ms", "300", "--token-file=/flag"],
    env: {
      GRECO_LEASE_MS: "400",
      GRECO_LEVEL: "warn",
      GRECO_TOKEN_FILE: "/env",
      PATH: "/bin",
      GRECO_FAILPOINT: "x:kill",
    },
    file: { path: "c.json", content: { leaseMs: 500, level: "info", origins: ["a", "b"], recover: false } },
  });
  expect(got).toEqual({
    listen: { host: "127.0.0.1", port: 0 },
    leaseMs: 300,
    level: "warn",
    origins: ["a", "b"],
    recover: false,
    tokenFile: "/flag",
  });
  expect(Object.isFrozen(got)).toBe(true);
  expectTypeOf(got.leaseMs).toEqualTypeOf<number>();
  expectTypeOf(got.level).toEqualTypeOf<"info" | "warn">();
});

it("refuses an unknown key in each source, naming the nearest known one", () => {
  const problems = problemsOf({
    flags: ["--lease-m", "1", "--zzzzzzzzzzzz=1", "stray", "--token-file=/t"],
    env: { GRECO_LEASE_MSS: "1" },
    file: { path: "c.json", content: { leasems: 1, __proto__x: 1 } },
  });
  expect(problems).toEqual([
    "unknown flag --lease-m: did you mean --lease-ms?",
    expect.stringContaining("unknown argument 1: known: --listen, --lease-ms"),
    expect.stringContaining("unknown flag --zzzzzzzzzzzz: known: --listen, --lease-ms"),
    expect.stringContaining("unknown argument stray"),
    "unknown environment variable GRECO_LEASE_MSS: did you mean GRECO_LEASE_MS?",
    "c.json: unknown key leasems: did you mean leaseMs?",
    expect.stringContaining("c.json: unknown key __proto__x"),
  ]);
});

it("says all that is wrong at once: where, what it must be, what it got", () => {
  const problems = problemsOf({
    flags: ["--lease-ms", "5s", "--level", "loud", "--listen", "nowhere", "--level", "info", "--recover"],
    file: { path: "c.json", content: { origins: { a: 1 } } },
  });
  expect(problems).toEqual([
    "--level is given twice",
    "--recover needs a value",
    "c.json: origins must be a text, a number, true, false or a list of texts",
    '--listen: must be host:port, as 127.0.0.1:50051; got "nowhere"',
    '--lease-ms: must be a whole number from 100 to 60000; got "5s"',
    '--level: must be one of info, warn; got "loud"',
    "--token-file is missing: give it, or GRECO_TOKEN_FILE, or tokenFile in the file",
  ]);
  expect(problemsOf({ file: { path: "c.json", content: [1] } })[0]).toBe(
    "c.json must hold one object of keys and values",
  );
});

it("reads addresses of both families, and nothing that the prototype would lend", () => {
  const read = (listen: string) => parse({ flags: ["--token-file=/t", `--listen=${listen}`] }).listen;
  expect(read("[::1]:0")).toEqual({ host: "::1", port: 0 });
  expect(read("registry.internal:50051")).toEqual({ host: "registry.internal", port: 50_051 });
  for (const bad of ["1.2.3.4:70000", "1.2.3.4", ":1", "::1:5"]) expect(() => read(bad)).toThrow("host:port");
  const hostile = JSON.parse('{"__proto__": 1, "tokenFile": "/t"}') as unknown;
  expect(problemsOf({ file: { path: "c.json", content: hostile } })[0]).toContain("unknown key __proto__");
});

it("reads the file that a flag or the environment names, and keeps to its own variables", async () => {
  const dir = await mkdtemp(join(tmpdir(), "greco-config-"));
  try {
    const path = join(dir, "registry.json");
    await writeFile(path, '{"leaseMs": 700, "tokenFile": "/t"}');
    const env = { GRECO_CONFIG: path, GRECO_DATA: "/d", GRECO_REGISTRY_LEVEL: "warn" };
    const prefix = "GRECO_REGISTRY_";
    expect(await loadConfig(schema, [], env, prefix)).toMatchObject({ leaseMs: 700, level: "warn" });
    for (const flags of [
      ["--config", path, "--lease-ms=800"],
      ["--lease-ms=800", `--config=${path}`],
    ])
      expect(await loadConfig(schema, flags, {}, prefix)).toMatchObject({ leaseMs: 800, tokenFile: "/t" });
    await writeFile(path, "# YAML\nleaseMs: 900\ntokenFile: /y\norigins: [a, b]\n");
    expect(await loadConfig(schema, ["--config", path], {})).toMatchObject({
      leaseMs: 900,
      origins: ["a", "b"],
    });
    await writeFile(path, "{");
    await expect(loadConfig(schema, ["--config", path], {})).rejects.toThrow(
      `${path} is no readable YAML or JSON`,
    );
    await expect(loadConfig(schema, ["--config"], {})).rejects.toThrow("--config needs the path");
  } finally {
    await rm(dir, { recursive: true });
  }
});

it("leaves out what is optional, and takes what only other apps use", () => {
  const shared = {
    etcd: config.optional(config.list("etcd's nodes")),
    nats: { ...config.optional(config.list("NATS's nodes")), unused: true as const },
  };
  const got = parseConfig(shared, { env: { GRECO_NATS: "n:4222" } });
  expect(got).toEqual({ etcd: undefined, nats: ["n:4222"] });
  expectTypeOf(got.etcd).toEqualTypeOf<readonly string[] | undefined>();
});
