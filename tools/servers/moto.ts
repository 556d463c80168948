// moto's server: a second opinion on Lambda's control plane. It runs no function: an Invoke gets a canned answer. What
// it has it keeps in memory: started again, it is empty.
import { join } from "node:path";
import { startCluster } from "./cluster.ts";
import type { Engine, StartOptions } from "./engine.ts";
import { serverNode } from "./node.ts";
import { keptPorts } from "./ports.ts";
import { installPython, needOneNode, pythonOf, type PythonServer } from "./python.ts";
import type { Reaper } from "./reaper.ts";

const MOTO: PythonServer = {
  name: "moto",
  version: "5.2.5",
  requirement: "moto[server,awslambda]==5.2.5",
  cost: "317 MB, half a minute",
};
const HOST = "127.0.0.1";
/** A second on an idle machine. */
const START_WITHIN_MS = 60_000;
const ASK_WITHIN_MS = 2_000;

/** `lambda.use_docker`: false makes it answer an Invoke by itself; true would look for Docker. */
const CONFIGURATION = JSON.stringify({ lambda: { use_docker: false } });

async function nodesOf(options: StartOptions, reaper: Reaper): Promise<ReturnType<typeof serverNode>[]> {
  const [port = 0] = await keptPorts(options.folder, 1, 1);
  const node = serverNode({
    name: "moto",
    address: `${HOST}:${port}`,
    folder: join(options.folder, "n1"),
    program: pythonOf(options.cache, MOTO),
    args: ["-m", "moto.server", "-H", HOST, "-p", String(port)],
    reaper,
    // It serves once it has been told that: so one that is started again has it too.
    serves: async (signal) => {
      const response = await fetch(`http://${HOST}:${port}/moto-api/config`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: CONFIGURATION,
        signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_WITHIN_MS)]),
      });
      await response.body?.cancel();
      return response.ok;
    },
    startWithinMs: START_WITHIN_MS,
  });
  return [node];
}

export const moto: Engine = {
  name: "moto",
  version: MOTO.version,
  onRequest: true,
  install: (options) => installPython(MOTO, options),
  async start(options) {
    needOneNode(MOTO, options);
    return startCluster({
      name: "moto",
      nodes: (reaper) => nodesOf(options, reaper),
      signal: options.signal,
    });
  },
};
