// vitest's global setup of the project `engines`: one shared cluster an engine for the whole run, started when the
// first test asks for it. Tests run in forks, so they ask over a socket.
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Cluster, EngineName } from "./engine.ts";
import { ownCluster, SHARED_SOCKET, type SharedAnswer } from "./for-tests.ts";

export async function setup(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), "greco-shared-"));
  const ending = new AbortController();
  const shared = new Map<string, Promise<Cluster>>();

  const answer = async (socket: Socket): Promise<void> => {
    const name = (await text(socket)) as EngineName;
    let cluster = shared.get(name);
    if (cluster === undefined) {
      cluster = ownCluster(name, {}, ending.signal);
      shared.set(name, cluster);
    }
    const told: SharedAnswer = await cluster.then(
      ({ addresses }) => ({ addresses }),
      (error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }),
    );
    socket.end(JSON.stringify(told));
  };

  const server = createServer({ allowHalfOpen: true }, (socket) => {
    // A test that was ended while it asked needs no answer.
    socket.on("error", () => undefined);
    answer(socket).catch(() => socket.destroy());
  });
  const path = join(folder, "socket");
  await new Promise<void>((listening) => server.listen(path, () => listening()));
  process.env[SHARED_SOCKET] = path;

  return async () => {
    ending.abort(new Error("the tests have ended"));
    server.close();
    for (const cluster of shared.values())
      await cluster.then(
        (started) => started[Symbol.asyncDispose](),
        () => undefined,
      );
    await rm(folder, { recursive: true, force: true });
    delete process.env[SHARED_SOCKET];
  };
}
