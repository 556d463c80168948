/** `greco stream publish | subscribe | dead-letter`, `greco conductor …`, `greco status`. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  type Conductor,
  Conductor_StateSchema,
  ConductorSchema,
} from "@greco/contracts/greco/conductor/v1/conductor";
import {
  type Entry,
  Entry_Kind,
  type LaneStatus,
  LaneStatus_StateSchema,
  LaneStatusSchema,
  PositionsSchema,
  type PublishBatchesResponse,
  type SubscribeRequest,
} from "@greco/contracts/greco/dataplane/v1/dataplane";
import { CliError, EXIT } from "../cli-error.ts";
import type { Context, Runner } from "../context.ts";
import { PAGE_SIZE, pages, parseInteger, resourceOf, shortName, timeText } from "../names.ts";
import { plain } from "../output.ts";

const BATCH = 100;
const UNDER_WAY_MAX = 5_000;
const FOLLOW_MS = 24 * 60 * 60_000;

export function addStreamCommands(program: Command, { run }: Runner): void {
  const stream = program.command("stream").description("publish, subscribe, dead-letter");
  stream
    .command("publish <stream>")
    .description("JSON lines from a file or stdin, in batches, each acknowledged when it is durable")
    .option("-f, --file <file>", "JSON lines (- is stdin)", "-")
    .option("--rate <n>", "messages a second; default: as fast as they are taken")
    .option("--producer <id>", "numbers the messages, so that a repeat is not stored twice")
    .option("--at-least-epoch <n>", "only where the lane is current to this epoch", "0")
    .action(run<[string], PublishFlags>(publish));
  stream
    .command("subscribe <stream>")
    .description("entries of its lanes as JSON lines, markers as such")
    .option("--from <where>", "beginning | end | epoch:N | LANE:SEQ", "end")
    .option("--bounded", "stop at the present end of all lanes")
    .option("--limit <n>", "stop after so many entries")
    .action(run<[string], SubscribeFlags>(subscribe));
  stream
    .command("dead-letter <query> <lane> <seq>")
    .description("the query gives this position up; the entry goes to its dead letters")
    .requiredOption("--reason <text>", "why")
    .action(
      run<[string, string, string], { reason: string }>(async (context, { reason }, query, lane, seq) => {
        const { ingress } = await context.clients();
        const position = { lane, seq: BigInt(parseInteger(seq, "seq")) };
        await ingress.deadLetter(
          { parent: context.parent(), query: query.replace(/^query\//i, ""), position, reason },
          { signal: context.signal },
        );
        context.output.note(`${query} gives up ${lane}:${seq}`);
      }),
    );
  addConductorCommands(program, { run });
  addStatusCommand(program, { run });
}

type PublishFlags = { file: string; rate?: string; producer?: string; atLeastEpoch: string };

async function publish(context: Context, flags: PublishFlags, name: string): Promise<void> {
  const { ingress } = await context.clients();
  const stream = resourceOf(context.parent(), "streams", name);
  const input = createInterface({ input: flags.file === "-" ? process.stdin : createReadStream(flags.file) });
  const rate = flags.rate === undefined ? undefined : parseInteger(flags.rate, "--rate");
  const atLeastEpoch = BigInt(parseInteger(flags.atLeastEpoch, "--at-least-epoch"));
  const progress = { sent: 0, acknowledged: 0, refused: 0 };
  const encoder = new TextEncoder();

  async function* batches() {
    const began = performance.now();
    let lines: string[] = [];
    const flush = () => {
      const first = progress.sent;
      progress.sent += lines.length;
      const messages = lines.map((line, index) => ({
        payload: encoder.encode(line),
        producerSeq: flags.producer === undefined ? 0n : BigInt(first + index + 1),
      }));
      lines = [];
      return {
        stream,
        batchId: BigInt(first),
        messages,
        atLeastEpoch,
        ...(flags.producer === undefined ? {} : { producer: { id: flags.producer } }),
      };
    };
    const size = rate === undefined ? BATCH : Math.max(1, Math.min(BATCH, Math.round(rate / 20)));
    for await (const line of input) {
      if (line.trim() === "") continue;
      lines.push(line);
      if (lines.length < size) continue;
      if (rate !== undefined) {
        const wait = began + (progress.sent / rate) * 1_000 - performance.now();
        if (wait > 0) await pause(wait, undefined, { signal: context.signal });
      }
      while (progress.sent - progress.acknowledged - progress.refused > UNDER_WAY_MAX)
        await pause(5, undefined, { signal: context.signal });
      yield flush();
    }
    if (lines.length > 0) yield flush();
  }

  let firstFailure: string | undefined;
  const take = (response: PublishBatchesResponse): void => {
    response.results.forEach((result, index) => {
      if (result.outcome.case === "published") {
        progress.acknowledged += 1;
        return;
      }
      progress.refused += 1;
      const failure = result.outcome.value;
      firstFailure ??= `line ${Number(response.batchId) + index + 1}: ${failure?.reason}: ${failure?.message}`;
    });
  };
  for await (const response of ingress.publishBatches(batches(), {
    signal: context.signal,
    timeoutMs: FOLLOW_MS,
  }))
    take(response);
  context.output.note(`${progress.acknowledged} acknowledged, ${progress.refused} refused`);
  if (firstFailure !== undefined)
    throw new CliError(
      firstFailure,
      "the others are stored; correct the refused lines and publish them again",
    );
}

type SubscribeFlags = { from: string; bounded?: boolean; limit?: string };

type Start = SubscribeRequest["start"];

function startOf(from: string): Start {
  if (from === "beginning") return { case: "beginning", value: true };
  if (from === "end") return { case: "end", value: true };
  const epoch = /^epoch:(\d+)$/.exec(from);
  if (epoch !== null) return { case: "epoch", value: BigInt(epoch[1] as string) };
  const position = /^(.+):(\d+)$/.exec(from);
  if (position !== null)
    return {
      case: "positions",
      value: create(PositionsSchema, {
        positions: [{ lane: position[1] as string, seq: BigInt(position[2] as string) }],
      }),
    };
  throw new CliError(
    `--from must be beginning, end, epoch:N or LANE:SEQ; got '${from}'`,
    undefined,
    EXIT.usage,
  );
}

function entryJson(entry: Entry): Record<string, unknown> {
  const at = {
    lane: entry.position?.lane,
    seq: Number(entry.position?.seq ?? 0n),
    epoch: Number(entry.epoch),
  };
  if (entry.kind === Entry_Kind.MARKER) return { ...at, marker: Number(entry.epoch) };
  if (entry.kind === Entry_Kind.END) return { ...at, end: true };
  const source =
    entry.source === undefined
      ? {}
      : {
          source: {
            query: entry.source.query,
            lane: entry.source.position?.lane,
            seq: Number(entry.source.position?.seq ?? 0n),
          },
        };
  return {
    ...at,
    ...(entry.key === "" ? {} : { key: entry.key }),
    ...source,
    payload: JSON.parse(new TextDecoder().decode(entry.payload)) as unknown,
  };
}

async function subscribe(context: Context, flags: SubscribeFlags, name: string): Promise<void> {
  const { ingress } = await context.clients();
  const limit = flags.limit === undefined ? Number.POSITIVE_INFINITY : parseInteger(flags.limit, "--limit");
  let count = 0;
  const request = {
    stream: resourceOf(context.parent(), "streams", name),
    start: startOf(flags.from),
    bounded: flags.bounded === true,
  };
  for await (const { entries } of ingress.subscribe(request, {
    signal: context.signal,
    timeoutMs: FOLLOW_MS,
  })) {
    for (const entry of entries) {
      context.output.raw(`${JSON.stringify(entryJson(entry))}\n`);
      count += 1;
      if (count >= limit) return;
    }
  }
}

const conductorState = (conductor: Conductor): string =>
  (Conductor_StateSchema.value[conductor.state]?.localName ?? "").toLowerCase();

function addConductorCommands(program: Command, { run }: Runner): void {
  const conductor = program.command("conductor").description("who has a say: list, deregister");
  conductor.command("list").action(
    run<[], unknown>(async (context) => {
      const { conductors } = await context.clients();
      const found = await pages(async (pageToken) => {
        const page = await conductors.listConductors(
          { model: context.parent(), pageSize: PAGE_SIZE, pageToken },
          { signal: context.signal },
        );
        return { items: page.conductors, next: page.nextPageToken };
      });
      context.output.list(
        found,
        [
          { title: "conductor", value: (each) => shortName(each.name) },
          { title: "state", value: conductorState },
          { title: "kinds", value: (each) => (each.kinds.length === 0 ? "every" : each.kinds.join(", ")) },
          { title: "incarnation", value: (each) => String(each.incarnation), right: true },
          { title: "since", value: (each) => `v${each.sinceVersion}`, right: true },
          { title: "last heard", value: (each) => timeText(each.lastHeardTime) },
        ],
        (each) => plain(ConductorSchema, each),
        "no conductors are registered for this model",
      );
    }),
  );
  conductor
    .command("deregister <conductor>")
    .description("takes its vote away: its open proposals abort, and it must register anew; audited")
    .requiredOption("--reason <text>", "why")
    .action(
      run<[string], { reason: string }>(async (context, { reason }, name) => {
        const { conductors } = await context.clients();
        const gone = await conductors.deregisterConductor(
          { name: `conductors/${shortName(name)}`, model: context.parent(), reason },
          { signal: context.signal },
        );
        context.output.one(
          gone,
          (each) => [
            ["conductor", shortName(each.name)],
            ["state", conductorState(each)],
          ],
          (each) => plain(ConductorSchema, each),
        );
      }),
    );
}

const laneState = (lane: LaneStatus): string =>
  (LaneStatus_StateSchema.value[lane.state]?.localName ?? "").toLowerCase();

function addStatusCommand(program: Command, { run }: Runner): void {
  program
    .command("status [stream]")
    .description("the epoch of each stream and lane, how far its readers are, and who holds")
    .option("--all", "ended lanes too")
    .action(
      run<[string | undefined], { all?: boolean }>(async (context, options, stream) => {
        const { ingress } = await context.clients();
        const parent = context.parent();
        const streams = await pages(async (pageToken) => {
          const page = await ingress.listStreams(
            { parent, pageSize: PAGE_SIZE, pageToken },
            { signal: context.signal },
          );
          return { items: page.streams, next: page.nextPageToken };
        });
        const lanes = await pages(async (pageToken) => {
          const page = await ingress.listLanes(
            {
              parent,
              stream: stream ?? "",
              includeEnded: options.all === true,
              pageSize: PAGE_SIZE,
              pageToken,
            },
            { signal: context.signal },
          );
          return { items: page.lanes, next: page.nextPageToken };
        });
        if (context.output.format === "table") {
          const newest = streams.map((each) => each.ledgerEpoch).reduce((a, b) => (a > b ? a : b), 0n);
          context.output.raw(`newest epoch: ${newest}\n\n`);
        }
        context.output.list(
          lanes,
          [
            { title: "stream", value: (each) => shortName(each.stream) },
            { title: "lane", value: (each) => each.lane },
            { title: "state", value: laneState },
            { title: "epoch", value: (each) => String(each.epoch), right: true },
            { title: "marker at", value: (each) => String(each.markers.at(-1)?.seq ?? ""), right: true },
            { title: "entries", value: (each) => String(each.tailSeq), right: true },
            { title: "readers", value: readersText },
          ],
          (each) => plain(LaneStatusSchema, each),
          "no lanes yet: they open with the first message",
        );
      }),
    );
}

function readersText(lane: LaneStatus): string {
  return lane.readers
    .map((reader) => {
      const lag = reader.lag === 0n ? "at the end" : `${reader.lag} behind`;
      return `${reader.query} at epoch ${reader.epoch}, ${lag}${reader.holding === "" ? "" : `, HOLDS: ${reader.holding}`}`;
    })
    .join("; ");
}
