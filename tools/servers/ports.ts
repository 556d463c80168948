// Ports for servers that are started, killed and started again on the same address.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

/**
 * Below the range from which the system takes the ports of outgoing connections: else, while a server is down, a
 * client's own connection may sit on its port (and even connect to itself).
 */
const RANGE = { from: 12_000, to: 32_000 } as const;

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once("error", () => resolve(false))
      .listen(port, host, () => server.close(() => resolve(true)));
  });
}

/** `count` different ports that nobody listens on at any of `hosts`. */
export async function freePorts(count: number, hosts: readonly string[] = ["127.0.0.1"]): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const port = RANGE.from + Math.floor(Math.random() * (RANGE.to - RANGE.from));
    if (found.includes(port)) continue;
    const free = await Promise.all(hosts.map((host) => isFree(host, port)));
    if (free.every(Boolean)) found.push(port);
  }
  return found;
}

type Kept = { readonly nodes: number; readonly ports: number[] };

/** Those of the folder's first start: data name the addresses that they were made under. */
export async function keptPorts(
  folder: string,
  nodes: number,
  count: number,
  hosts?: readonly string[],
): Promise<number[]> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, "ports.json");
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (text !== undefined) {
    const kept = JSON.parse(text) as Kept;
    if (kept.nodes === nodes) return kept.ports;
    throw new Error(
      `${folder} has the data of ${kept.nodes} node(s), not ${nodes}: start as many, or give another folder`,
    );
  }
  const ports = await freePorts(count, hosts);
  await writeFile(file, JSON.stringify({ nodes, ports } satisfies Kept));
  return ports;
}
