// Nodes that are started together and ended together.
import type { Cluster, ServerNode } from "./engine.ts";
import { createReaper, type Reaper } from "./reaper.ts";

export type ClusterOptions = {
  readonly name: string;
  /** All of them, not started; each gets the reaper that sees to its end. */
  nodes(reaper: Reaper): Promise<readonly (ServerNode & AsyncDisposable)[]>;
  /** What must hold of the whole when each node serves. */
  whole?(nodes: readonly ServerNode[], signal: AbortSignal): Promise<void>;
  readonly signal: AbortSignal;
};

/** Starts all nodes at once. When one fails, all are ended. */
export async function startCluster({ name, nodes, whole, signal }: ClusterOptions): Promise<Cluster> {
  await using stack = new AsyncDisposableStack();
  const reaper = stack.use(createReaper());
  const members = (await nodes(reaper)).map((node) => stack.use(node));
  const started = await Promise.allSettled(members.map((node) => node.start(signal)));
  for (const each of started) if (each.status === "rejected") throw each.reason;
  await whole?.(members, signal);
  const owned = stack.move();
  return {
    name,
    addresses: members.map((node) => node.address),
    nodes: members,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
