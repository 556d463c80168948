/** The ports on etcd, NATS and Cassandra. */
import type { EngineParts } from "./open-engines.ts";
import { engineOf, type PortName, type Ports } from "./ports.ts";

export async function openReal(
  ports: readonly PortName[],
  parts: EngineParts,
  signal: AbortSignal,
): Promise<Partial<Ports>> {
  signal.throwIfAborted();
  parts.log.error("engines.not-built", { engines: ports.map((port) => engineOf[port]) });
  return Promise.reject(new Error("the adapters of the real engines are not part of this build"));
}
