/**
 * What is heard on a control-log topic, command by command, until the signal aborts. The log may lose,
 * repeat and reorder, and the subscription may break: it is taken up again where it was.
 */
import type { Command } from "@greco/contracts/greco/conductor/v1/conductor";
import { untilDone } from "./backoff.ts";
import { Assembler } from "./chunks.ts";
import { backoffOf, type SessionContext } from "./context.ts";

export async function hear(
  context: SessionContext,
  afterPosition: number,
  heard: (command: Command, position: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const { controlLog, model, log, limits } = context;
  const assembler = new Assembler(limits);
  let position = afterPosition;
  await untilDone(
    backoffOf(context),
    signal,
    async () => {
      for await (const message of controlLog.subscribe(model, position, signal)) {
        position = Math.max(position, message.position);
        const assembled = assembler.add(message.payload);
        if (assembled.type === "command") heard(assembled.command, message.position);
        if (assembled.type === "dropped")
          log.warn("conductor.dropped", { position: message.position, why: assembled.why });
      }
      throw new Error("the subscription ended");
    },
    (error) => {
      log.warn("conductor.subscription-broke", { position, error });
      return "again";
    },
  );
}
