/** `greco stream publish | subscribe | dead-letter`: the data plane's door, by hand. */
import { create, type JsonObject } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  type Entry,
  Entry_Kind,
  PositionsSchema,
  type SubscribeRequest,
} from "@greco/contracts/greco/dataplane/v1/dataplane";
import { followStream } from "@greco/sdk";
import { CliError } from "../cli-error.ts";
import type { Context, Runner } from "../context.ts";
import { parseInteger } from "../names.ts";
import { linesOf, Publisher } from "../publisher.ts";
import { REASONS } from "../reasons.ts";
import { shortName } from "../short-name.ts";
import { oneLine } from "../text.ts";
import { parseDuration } from "../times.ts";

export function addStreamCommands(program: Command, { run }: Runner): void {
  const stream = program.command("stream").description("streams by hand: publish, subscribe, dead-letter");
  stream
    .command("publish <stream>")
    .description("JSON lines from a file or stdin, in batches, each acknowledged when it is durable")
    .option("-f, --file <file>", "JSON lines (- is stdin)", "-")
    .option("--rate <n>", "messages a second; default: as fast as they are taken")
    .option("--producer <id>", "numbers the messages, so that a repeat is not stored twice")
    .option("--at-least-epoch <n>", "only where the lane is current to this epoch; waits for it", "0")
    .action(run<[string], PublishFlags>(publish));
  stream
    .command("subscribe <stream>")
    .description("messages of its lanes as they come, each lane in order, markers as such")
    .option("--from <where>", "beginning | end | epoch:N | LANE:SEQ", "end")
    .option("--bounded", "stop at the present end of all lanes")
    .option("--limit <n>", "stop after so many messages")
    .action(run<[string], SubscribeFlags>(subscribe));
  stream
    .command("dead-letter <query> <lane> <seq>")
    .description("the query gives this position up; the message goes to the stream dead-letters")
    .requiredOption("--reason <text>", "why")
    .action(
      run<[string, string, string], { reason: string }>(async (context, { reason }, query, lane, seq) => {
        const { ingress } = await context.clients();
        const position = { lane, seq: BigInt(parseInteger(seq, "seq")) };
        const name = query.replace(/^query\//i, "");
        await ingress.deadLetter(
          { parent: context.parent(), query: name, position, reason },
          { signal: context.signal },
        );
        context.output.done(
          `ordered: ${name} gives up ${lane}:${seq}; the runtime carries it out when it comes to it`,
          { ordered: true, query: name, lane, seq: Number(seq), reason },
        );
      }),
    );
}

type PublishFlags = { file: string; rate?: string; producer?: string; atLeastEpoch: string };

async function publish(context: Context, flags: PublishFlags, name: string): Promise<void> {
  const stream = context.resource("streams", name);
  const options = {
    stream,
    producer: flags.producer,
    rate: flags.rate === undefined ? undefined : parseInteger(flags.rate, "--rate"),
    atLeastEpoch: BigInt(parseInteger(flags.atLeastEpoch, "--at-least-epoch")),
    ackTimeoutMs: parseDuration(context.flags.timeout ?? "30s", "--timeout"),
  };
  if (options.rate === 0)
    throw new CliError("--rate must be at least 1", "leave it out to publish as fast as they are taken");
  const { ingress } = await context.clients();
  await using lines = await linesOf(flags.file);
  if (flags.file === "-" && process.stdin.isTTY) context.output.note("one JSON message a line; Ctrl-D ends");
  const publisher = new Publisher(ingress, options);
  const report = () => {
    const { acknowledged, duplicates, refused, repeated, lanes, epochs } = publisher;
    const [first, last] = [Math.min(...epochs), Math.max(...epochs)];
    const at = epochs.size === 0 ? "" : ` at epoch ${first === last ? first : `${first} to ${last}`}`;
    const where = lanes.size === 0 ? "" : ` in ${lanes.size === 1 ? "one lane" : `${lanes.size} lanes`}`;
    const again = repeated === 0 ? "" : `, ${repeated} sent again because the ingress was full`;
    const known = duplicates === 0 ? "" : `, ${duplicates} of them stored before`;
    context.output.done(`${acknowledged} acknowledged${where}${at}${known}${again}, ${refused} refused`, {
      stream,
      acknowledged,
      duplicates,
      refused,
      repeated,
      lanes: lanes.size,
      epochs: [...epochs].sort((a, b) => a - b),
    });
  };
  try {
    await publisher.run(lines, context.signal);
  } catch (error) {
    report();
    throw error;
  }
  report();
  if (publisher.firstFailure !== undefined) throw refusedOf(publisher.firstFailure, publisher.acknowledged);
}

function refusedOf({ message, reason }: { message: string; reason: string }, acknowledged: number): CliError {
  const next = REASONS[reason]?.next ?? "correct the refused lines and publish them again";
  return new CliError(message, acknowledged > 0 ? `${next}; the others are stored` : next);
}

type SubscribeFlags = { from: string; bounded?: boolean; limit?: string };

export function startOf(from: string): SubscribeRequest["start"] {
  if (from === "beginning") return { case: "beginning", value: true };
  if (from === "end") return { case: "end", value: true };
  const epoch = /^epoch:(\d{1,15})$/.exec(from)?.[1];
  if (epoch !== undefined) return { case: "epoch", value: BigInt(epoch) };
  const [, lane, seq] = /^(.+):(\d{1,15})$/.exec(from) ?? [];
  if (lane !== undefined && seq !== undefined)
    return {
      case: "positions",
      value: create(PositionsSchema, { positions: [{ lane, seq: BigInt(seq) }] }),
    };
  throw new CliError(
    `--from must be beginning, end, epoch:N or LANE:SEQ; got '${from}'`,
    "greco status shows lanes and epochs",
  );
}

export function entryJson(entry: Entry): JsonObject {
  const at = {
    lane: entry.position?.lane ?? "",
    seq: Number(entry.position?.seq ?? 0n),
    epoch: Number(entry.epoch),
  };
  if (entry.kind === Entry_Kind.MARKER) return { ...at, marker: Number(entry.epoch) };
  if (entry.kind === Entry_Kind.END) return { ...at, end: true };
  const { source, key } = entry;
  const from =
    source === undefined
      ? {}
      : {
          source: {
            query: source.query,
            lane: source.position?.lane ?? "",
            seq: Number(source.position?.seq ?? 0n),
          },
        };
  return { ...at, ...(key === "" ? {} : { key }), ...from, payload: payloadOf(entry) };
}

function payloadOf({ payload }: Entry): JsonObject[string] {
  const text = new TextDecoder().decode(payload);
  try {
    return JSON.parse(text) as JsonObject[string];
  } catch (_notJson) {
    return text;
  }
}

function entryText(context: Context, entry: Entry): string {
  const { output } = context;
  const place = oneLine(`${entry.position?.lane}:${entry.position?.seq}`);
  if (entry.kind === Entry_Kind.MARKER)
    return `${output.paint("cyan", `── ${place}  epoch ${entry.epoch} from here on`)}\n`;
  if (entry.kind === Entry_Kind.END) return `${output.paint("dim", `── ${place}  the lane ends`)}\n`;
  const head = output.paint("dim", `${place}  epoch ${entry.epoch}`);
  const { position } = entry.source ?? {};
  const from =
    position === undefined ? "" : output.paint("dim", `  ← ${oneLine(`${position.lane}:${position.seq}`)}`);
  return `${head}  ${oneLine(JSON.stringify(payloadOf(entry)))}${from}\n`;
}

/** From positions it goes on over a restart of the ingress; from the end or an epoch it cannot (see the SDK). */
async function* entriesFrom(
  context: Context,
  request: { readonly stream: string; readonly start: SubscribeRequest["start"]; readonly bounded: boolean },
): AsyncGenerator<Entry> {
  const { ingress } = await context.clients();
  const { stream, start, bounded } = request;
  const { signal, output } = context;
  if (start.case !== "beginning" && start.case !== "positions") {
    for await (const { entries } of ingress.subscribe(request, { signal })) yield* entries;
    return;
  }
  const positions = start.case === "positions" ? start.value.positions : [];
  const after = new Map(positions.map(({ lane, seq }) => [lane, seq]));
  const onInterrupted = (error: Error): void => output.note(`${error.message}; still trying`);
  yield* followStream(ingress, stream, { signal, bounded, after, onInterrupted });
}

/** It waits for as long as that takes, and --timeout does not end it: so it is said. */
async function noteEpochAhead(context: Context, epoch: bigint): Promise<void> {
  const { ingress } = await context.clients();
  const { signal } = context;
  const { streams } = await ingress.listStreams({ parent: context.parent(), pageSize: 1 }, { signal });
  const newest = streams[0]?.ledgerEpoch ?? 0n;
  if (epoch > newest) context.output.note(`waits for epoch ${epoch}; the ledger is at ${newest}`);
}

async function subscribe(context: Context, flags: SubscribeFlags, name: string): Promise<void> {
  const limit = flags.limit === undefined ? Number.POSITIVE_INFINITY : parseInteger(flags.limit, "--limit");
  const request = {
    stream: context.resource("streams", name),
    start: startOf(flags.from),
    bounded: flags.bounded === true,
  };
  if (request.start.case === "epoch") await noteEpochAhead(context, request.start.value);
  const items = context.output.items();
  let messages = 0;
  try {
    if (limit === 0) return;
    for await (const entry of entriesFrom(context, request)) {
      items.item(entryJson(entry), () => entryText(context, entry));
      if (entry.kind === Entry_Kind.DATA) messages += 1;
      if (messages >= limit) return;
    }
  } finally {
    items.end();
  }
  if (messages === 0 && request.bounded) {
    context.output.note(`${shortName(request.stream)} has no messages there`);
  }
}
