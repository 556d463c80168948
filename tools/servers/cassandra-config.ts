// The configuration of a Cassandra node for development and tests: what makes it small, quick to start, and a member of
// a real ring (docs/decisions/0090-cassandra.md).
import { join } from "node:path";

export type Member = {
  readonly host: string;
  readonly dataCenter: string;
  /** One computed token a node: none is allocated, so all nodes may start at once. */
  readonly token: bigint;
  readonly folder: string;
};

/** The same on every host: the driver takes the port of its contact points for all nodes. */
export type Ports = { readonly native: number; readonly storage: number };

const HEAP = "512M";

/** Evenly spread within each data centre, and different in all of them. */
export function tokenOf(index: number, nodes: number, dataCenter: number): bigint {
  return -(2n ** 63n) + 1n + BigInt(index) * (2n ** 64n / BigInt(nodes)) + BigInt(dataCenter);
}

export function yamlOf(member: Member, seeds: readonly string[], ports: Ports): string {
  const { host, token, folder } = member;
  const data = (name: string): string => JSON.stringify(join(folder, "data", name));
  return `cluster_name: greco
num_tokens: 1
initial_token: ${token}
auto_bootstrap: false
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: GossipingPropertyFileSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{seeds: "${seeds.join(",")}"}]
listen_address: ${host}
rpc_address: ${host}
storage_port: ${ports.storage}
native_transport_port: ${ports.native}
start_native_transport: true
data_file_directories: [${data("data")}]
commitlog_directory: ${data("commitlog")}
saved_caches_directory: ${data("saved_caches")}
hints_directory: ${data("hints")}
cdc_raw_directory: ${data("cdc_raw")}
commitlog_sync: periodic
commitlog_sync_period: 10000ms
# Half of it is the largest mutation: an append of the writers' largest call must fit.
commitlog_segment_size: 32MiB
commitlog_total_space: 256MiB
disk_failure_policy: stop
commit_failure_policy: stop
authenticator: AllowAllAuthenticator
authorizer: AllowAllAuthorizer
memtable_heap_space: 64MiB
memtable_offheap_space: 64MiB
memtable_allocation_type: heap_buffers
memtable_flush_writers: 1
concurrent_reads: 16
concurrent_writes: 32
concurrent_counter_writes: 8
concurrent_compactors: 1
file_cache_size: 32MiB
networking_cache_size: 16MiB
key_cache_size: 8MiB
counter_cache_size: 4MiB
paxos_variant: v2
read_request_timeout: 5s
write_request_timeout: 2s
cas_contention_timeout: 2s
request_timeout: 10s
slow_query_log_timeout: 2s
hinted_handoff_enabled: true
auto_snapshot: false
incremental_backups: false
snapshot_before_compaction: false
materialized_views_enabled: false
`;
}

export function logbackOf({ folder }: Member): string {
  return `<configuration scan="false">
<appender name="F" class="ch.qos.logback.core.FileAppender"><file>${join(folder, "system.log")}</file><append>true</append>
<encoder><pattern>%-5level [%thread] %date{ISO8601} %F:%L - %msg%n</pattern></encoder></appender>
<root level="INFO"><appender-ref ref="F"/></root>
</configuration>
`;
}

/** GossipingPropertyFileSnitch reads it. */
export const rackdcOf = ({ dataCenter }: Member): string => `dc=${dataCenter}\nrack=rack1\n`;

const EXPORTS = [
  ...["java.base/jdk.internal.misc", "java.management.rmi/com.sun.jmx.remote.internal.rmi"],
  ...["java.rmi/sun.rmi.registry", "java.rmi/sun.rmi.server", "java.sql/java.sql", "java.base/java.lang.ref"],
  ...["jdk.unsupported/sun.misc", "jdk.compiler/com.sun.tools.javac.file", "jdk.attach/sun.tools.attach"],
];
const OPENS = [
  ...[
    "lang.module",
    "io",
    "lang",
    "lang.reflect",
    "util",
    "util.concurrent",
    "util.concurrent.atomic",
    "nio",
  ].map((name) => `java.base/java.${name}`),
  ...["loader", "ref", "reflect", "math", "module", "util.jar"].map(
    (name) => `java.base/jdk.internal.${name}`,
  ),
  ...["jdk.management/com.sun.management.internal", "java.base/sun.nio.ch", "java.rmi/sun.rmi.transport.tcp"],
];

/** Arguments of `java`. `jars`: all that Maven brought. `forMeasuring`: with the compiler that optimises. */
export function javaArguments({ folder }: Member, jars: readonly string[], forMeasuring: boolean): string[] {
  const agent = jars.find((jar) => /jamm-[\d.]+\.jar$/.test(jar));
  const conf = (name: string): string => `file://${join(folder, "conf", name)}`;
  return [
    ...["-ea", "-da:net.openhft...", `-Xms${HEAP}`, `-Xmx${HEAP}`, "-XX:+UseSerialGC", "-Xss512k"],
    // Halves the processor time of a start.
    ...(forMeasuring ? [] : ["-XX:TieredStopAtLevel=1"]),
    ...["-XX:MaxDirectMemorySize=256M", "-XX:ReservedCodeCacheSize=128m", "-XX:+PerfDisableSharedMem"],
    ...["-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError", "-Djava.net.preferIPv4Stack=true"],
    ...[`-Djava.io.tmpdir=${join(folder, "tmp")}`, `-Djna.tmpdir=${join(folder, "tmp")}`],
    ...(agent === undefined ? [] : [`-javaagent:${agent}`]),
    "-Djdk.attach.allowAttachSelf=true",
    ...EXPORTS.flatMap((name) => ["--add-exports", `${name}=ALL-UNNAMED`]),
    ...OPENS.flatMap((name) => ["--add-opens", `${name}=ALL-UNNAMED`]),
    ...["-Dio.netty.tryReflectionSetAccessible=true", "-Dio.netty.allocator.useCacheForAllThreads=true"],
    ...["-Dio.netty.allocator.maxOrder=11", "-Dio.netty.eventLoopThreads=2"],
    ...[`-Dcassandra.config=${conf("cassandra.yaml")}`, `-Dlogback.configurationFile=${conf("logback.xml")}`],
    `-Dcassandra-rackdc.properties=${conf("cassandra-rackdc.properties")}`,
    ...[`-Dcassandra.storagedir=${join(folder, "data")}`, `-Dcassandra.logdir=${folder}`],
    `-Dcassandra.triggers_dir=${join(folder, "triggers")}`,
    ...["-Dcassandra-foreground=yes", "-Dcassandra.available_processors=2"],
    // ring_delay_ms keeps its default: at 100, gossip drops its peers, and each node answers CQL as a ring of its own.
    ...["-Dcassandra.gossip_settle_min_wait_ms=500", "-Dcassandra.gossip_settle_interval_ms=200"],
    ...["-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra.superuser_setup_delay_ms=500"],
    ...["-Dcassandra.skip_schema_check=true", "-Dcassandra.consistent.rangemovement=false"],
    "-Dcassandra.allow_unsafe_join=true",
    ...["-cp", jars.join(":"), "org.apache.cassandra.service.CassandraDaemon"],
  ];
}
