// deploy/compose.yaml has not been run; what can be seen without Docker is looked at here.
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { engineSettings } from "@greco/engines";
import { expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { root, run } from "./lib/run.ts";

type Service = {
  readonly build?: { readonly args: { readonly APP: string } };
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
};
type Compose = {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};

const text = readFileSync(join(root, "deploy/compose.yaml"), "utf8");
const compose = parse(text, { merge: true }) as Compose;
const services = Object.entries(compose.services);

const envOf = (key: string): string =>
  `GRECO_${key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
/** Every app takes them, though its help is silent about those that it has no part in. */
const shared = Object.keys(engineSettings([])).map(envOf);

it("gives each app only settings that it has, and all that it must have", async () => {
  const apps = services.flatMap(([name, { build, environment = {} }]) =>
    build === undefined ? [] : [{ name, app: build.args.APP, environment }],
  );
  expect(apps.map(({ app }) => app).toSorted()).toEqual([
    ...["conductor-streams", "conductor-tables", "conductor-worker"],
    ...["coordinator", "ingress", "registry", "runtime"],
  ]);
  for (const { name, app, environment } of apps) {
    const { stdout, code } = await run(process.execPath, [join(root, "apps", app, "src/main.ts"), "--help"]);
    expect(code).toBe(0);
    const lines = stdout.split("\n").filter((line) => line.includes("GRECO_"));
    const known = lines.flatMap((line) => /GRECO_[A-Z_]+/.exec(line)?.[0] ?? []);
    const required = lines
      .filter((line) => line.endsWith("(required)"))
      .flatMap((line) => /GRECO_[A-Z_]+/.exec(line)?.[0] ?? []);
    const given = Object.keys(environment).filter((key) => key.startsWith("GRECO_"));
    expect({ name, unknown: given.filter((key) => ![...known, ...shared].includes(key)) }).toEqual({
      name,
      unknown: [],
    });
    expect({ name, missing: required.filter((key) => !given.includes(key)) }).toEqual({ name, missing: [] });
  }
});

it("refers to services, volumes, ports and files that are there", () => {
  const hosts = services.flatMap(([, { environment = {} }]) =>
    Object.entries(environment)
      .filter(([key]) => /^GRECO_(ETCD|NATS|CASSANDRA|REGISTRY|COORDINATOR)$/.test(key))
      .flatMap(([, value]) => value.split(","))
      .map((address) => address.replace("dns:///", "").split(":")[0] ?? ""),
  );
  expect(hosts.filter((host) => !Object.hasOwn(compose.services, host))).toEqual([]);
  const named = services
    .flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(":")[0] ?? ""))
    .filter((volume) => !volume.startsWith("."));
  expect(named.toSorted()).toEqual(Object.keys(compose.volumes).toSorted());
  for (const [name, { environment = {} }] of services)
    for (const [key, peer] of [
      ["GRECO_REGISTRY", "registry"],
      ["GRECO_COORDINATOR", "coordinator"],
    ] as const) {
      if (environment[key] === undefined) continue;
      const listens = compose.services[peer]?.environment?.["GRECO_LISTEN"]?.split(":")[1];
      expect({ name, key, port: environment[key].split(":").at(-1) }).toEqual({ name, key, port: listens });
    }
  expect(existsSync(join(root, "deploy/Dockerfile"))).toBe(true);
});

it("gives each part of the data plane no more of NATS than its user may, and has secrets made for all that it names", async () => {
  const users = Object.fromEntries(
    services.flatMap(([name, { environment = {} }]) => {
      const file = environment["GRECO_NATS_CREDENTIALS_FILE"];
      return file === undefined ? [] : [[name, file.replace("/secrets/nats/", "")]];
    }),
  );
  expect(users).toEqual({
    ...{ coordinator: "coordinator", ingress: "ingress", runtime: "runtime" },
    ...{ "conductor-streams": "conductor", "conductor-tables": "conductor", "conductor-worker": "conductor" },
  });
  expect(compose.services["nats"]?.volumes).toContain("./nats/nats.conf:/etc/nats/greco.conf:ro");
  const folder = await mkdtemp(join(tmpdir(), "greco-secrets-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const make = () => run(process.execPath, [join(root, "tools/deploy-keys.ts"), folder]);
  expect((await make()).code).toBe(0);
  const env = readFileSync(join(folder, "nats.env"), "utf8");
  const named = services.flatMap(([, { environment = {} }]) =>
    Object.values(environment).filter((value) => value.startsWith("/secrets/")),
  );
  for (const secret of named) expect(existsSync(join(folder, secret.replace("/secrets/", "")))).toBe(true);
  const conf = readFileSync(join(root, "deploy/nats/nats.conf"), "utf8");
  for (const [, variable] of conf.matchAll(/password: \$(\w+)/g)) expect(env).toMatch(`${variable}=`);
  // A second run breaks nothing that runs.
  expect((await make()).code).toBe(0);
  expect(readFileSync(join(folder, "nats.env"), "utf8")).toBe(env);
});

it("says that it has not been run", () => {
  expect(text).toContain("SYNTAX CHECKED ONLY");
});
