// ministack: AWS Lambda (and what is around it: IAM, STS, SQS, logs) on loopback, without Docker. It runs functions as
// real processes; which of AWS's promises it keeps is in tools/lambda-faults/README.md. It keeps what it has in memory:
// started again, it is empty.
import { mkdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { startCluster } from "./cluster.ts";
import type { Engine, StartOptions } from "./engine.ts";
import { serverNode } from "./node.ts";
import { keptPorts } from "./ports.ts";
import { installPython, needOneNode, pythonOf, type PythonServer } from "./python.ts";
import type { Reaper } from "./reaper.ts";

const MINISTACK: PythonServer = {
  name: "ministack",
  version: "1.5.33",
  requirement: "ministack==1.5.33",
  cost: "90 MB, some ten seconds",
};
const HOST = "127.0.0.1";
/** Half a second on an idle machine. */
const START_WITHIN_MS = 60_000;
const ASK_WITHIN_MS = 2_000;
/** AWS's own default. Its own one is worked out from the machine's memory: a review would depend on that. */
const ACCOUNT_CONCURRENCY = 1_000;

async function nodesOf(options: StartOptions, reaper: Reaper): Promise<ReturnType<typeof serverNode>[]> {
  const [port = 0] = await keptPorts(options.folder, 1, 1);
  const folder = join(options.folder, "n1");
  const temporary = join(folder, "data");
  mkdirSync(temporary, { recursive: true, mode: 0o700 });
  const node = serverNode({
    name: "ministack",
    address: `${HOST}:${port}`,
    folder,
    program: pythonOf(options.cache, MINISTACK),
    args: ["-m", "ministack"],
    env: {
      BIND_HOST: HOST,
      MINISTACK_HOST: HOST,
      GATEWAY_PORT: String(port),
      EDGE_PORT: String(port),
      PERSIST_STATE: "0",
      LAMBDA_EXECUTOR: "local",
      LAMBDA_ACCOUNT_CONCURRENCY: String(ACCOUNT_CONCURRENCY),
      // Where it unpacks functions: they go with its folder.
      TMPDIR: temporary,
      // Functions run on the Node that runs this, whatever else the machine has.
      PATH: [dirname(process.execPath), process.env["PATH"] ?? ""].join(delimiter),
      // They inherit its environment, and are not what this process debugs, loads or measures.
      NODE_OPTIONS: "",
      NODE_V8_COVERAGE: "",
    },
    reaper,
    serves: async (signal) => {
      const either = AbortSignal.any([signal, AbortSignal.timeout(ASK_WITHIN_MS)]);
      const response = await fetch(`http://${HOST}:${port}/_ministack/health`, { signal: either });
      await response.body?.cancel();
      return response.ok;
    },
    startWithinMs: START_WITHIN_MS,
  });
  return [node];
}

export const ministack: Engine = {
  name: "ministack",
  version: MINISTACK.version,
  onRequest: true,
  install: (options) => installPython(MINISTACK, options),
  async start(options) {
    needOneNode(MINISTACK, options);
    return startCluster({
      name: "ministack",
      nodes: (reaper) => nodesOf(options, reaper),
      signal: options.signal,
    });
  },
};
