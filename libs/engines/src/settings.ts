/**
 * How an app is told of its engines. Every app takes all of these names, so that a deployment can share one
 * environment and one file; those of engines that an app has no part in are of no use to it, and not in its `--help`.
 */
import { type Config, config, ConfigError, type ConfigKey } from "@greco/service-kit";
import { engineOf, type EngineName, type PortName } from "./ports.ts";

const settings = {
  engines: config.oneOf(
    "what the stores are: embedded (SQLite in a folder), or real (etcd, NATS, Cassandra)",
    ["embedded", "real"],
    { default: "embedded" },
  ),
  data: config.optional(config.text("folder of the embedded stores")),
  etcd: config.optional(config.list("etcd's nodes, host:port")),
  etcdPrefix: config.text("what every key in etcd begins with", { default: "greco/" }),
  etcdCredentialsFile: config.optional(config.secretFile("etcd's user and password: user:password")),
  nats: config.optional(config.list("NATS's nodes, host:port")),
  natsCredentialsFile: config.optional(config.secretFile("NATS's user and password: user:password")),
  natsPrefix: config.text("what every subject and stream in NATS begins with", { default: "greco" }),
  natsReplicas: config.integer("NATS servers that keep each command", { min: 1, max: 5 }, { default: 1 }),
  cassandra: config.optional(config.list("Cassandra's nodes, host:port; first those of this site")),
  cassandraDataCenter: config.text("the data centre that is this site", { default: "dc1" }),
  cassandraCredentialsFile: config.optional(
    config.secretFile("Cassandra's user and password: user:password"),
  ),
  keyspace: config.text("Cassandra's keyspace, made where it is missing", { default: "greco" }),
  replication: config.list(
    "replicas by data centre, as dc1:3,dc2:3, for making the keyspace; none: as many as the one data centre has nodes, at most 3",
    { default: [] },
  ),
} as const;

export type EngineSettings = typeof settings;
export type EngineConfig = Config<EngineSettings>;

/** Which engine a setting is for; none: every app's. */
const engineOfSetting: Readonly<Partial<Record<keyof EngineSettings, EngineName>>> = {
  etcd: "etcd",
  etcdPrefix: "etcd",
  etcdCredentialsFile: "etcd",
  nats: "nats",
  natsCredentialsFile: "nats",
  natsPrefix: "nats",
  natsReplicas: "nats",
  cassandra: "cassandra",
  cassandraDataCenter: "cassandra",
  cassandraCredentialsFile: "cassandra",
  keyspace: "cassandra",
  replication: "cassandra",
};

/** The settings of an app that uses these ports. */
export function engineSettings(ports: readonly PortName[]): EngineSettings {
  const used = new Set<EngineName>(ports.map((port) => engineOf[port]));
  const marked = Object.entries(settings as Record<string, ConfigKey<unknown>>).map(([name, key]) => {
    const engine = engineOfSetting[name as keyof EngineSettings];
    return [name, engine === undefined || used.has(engine) ? key : { ...key, unused: true }];
  });
  return Object.fromEntries(marked) as EngineSettings;
}

/** What must be given together. Throws a ConfigError. */
export function checkEngines(given: EngineConfig, ports: readonly PortName[]): void {
  const problems: string[] = [];
  if (given.engines === "embedded" && given.data === undefined)
    problems.push("--data is missing: give the folder of the embedded stores, or GRECO_DATA");
  if (given.engines === "real")
    for (const engine of new Set<EngineName>(ports.map((port) => engineOf[port])))
      if ((given[engine] ?? []).length === 0)
        problems.push(
          `--${engine} is missing: with --engines real, give its nodes, or GRECO_${engine.toUpperCase()}`,
        );
  if (problems.length > 0) throw new ConfigError(problems);
}
