/**
 * A whole service as a process of its own, for the test that stops, kills and crashes it. Prints its address. A call
 * to a stream `held` is answered when something comes on stdin.
 */
import { once } from "node:events";
import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { invariant } from "@greco/domain/model";
import { failpoint } from "../failpoint.ts";
import { createLog } from "../log.ts";
import { runProcess } from "../run-process.ts";
import { serve } from "../serve.ts";
import { implementPartly } from "./partial.ts";
import { trustingAuthority } from "./trusting-authority.ts";

const log = createLog({ service: "child" });
const ingress = implementPartly(IngressService, {
  publish: async ({ stream }, { signal }) => {
    await failpoint("lane.append.before");
    if (stream.endsWith("/held")) {
      process.stdout.write("held\n");
      await once(process.stdin, "data", { signal });
    }
    invariant(!stream.endsWith("/broken"), "I7: epochs in a lane only grow");
    return {};
  },
});

await runProcess(
  async (signal) => {
    const listen = { host: "127.0.0.1", port: 0 };
    const authority = trustingAuthority();
    const limits = { drainMs: Number(process.argv[2] ?? 10_000) };
    const server = await serve({ services: [ingress], listen, authority, log, limits }, signal);
    process.stdout.write(`${server.address}\n`);
    return server;
  },
  { log },
);
