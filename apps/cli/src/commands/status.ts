/** `greco status`: the epoch of each stream and lane, how far its readers are, who has crossed, who holds. */
import type { Command } from "commander";
import {
  type Crossing,
  CrossingSchema,
  type LaneStatus,
  LaneStatus_StateSchema,
  LaneStatusSchema,
  type StreamStatus,
  StreamStatusSchema,
} from "@greco/contracts/greco/dataplane/v1/dataplane";
import type { Context, Runner } from "../context.ts";
import { enumName } from "../enum-name.ts";
import { PAGE_SIZE, pages } from "../names.ts";
import { plain } from "../plain.ts";
import { readersText } from "../reader-view.ts";
import { nameOfIdentity, shortName } from "../short-name.ts";

type StatusFlags = { all?: boolean };

export function addStatusCommand(program: Command, { run }: Runner): void {
  program
    .command("status [stream]")
    .description("the epoch of each stream and lane, how far its readers are, who has crossed, who holds")
    .option("--all", "ended lanes too")
    .action(run<[string | undefined], StatusFlags>(status));
}

async function status(context: Context, { all: ended = false }: StatusFlags, name = ""): Promise<void> {
  const stream = name === "" ? "" : shortName(name);
  const all = await listStreams(context);
  const newest = all.reduce((most, { ledgerEpoch }) => (ledgerEpoch > most ? ledgerEpoch : most), 0n);
  const streams = all.filter((each) => stream === "" || shortName(each.name) === stream);
  // UNKNOWN_STREAM, when there never was one of the name.
  const lanes = await listLanes(context, stream, ended);
  const there = new Set(lanes.map(({ lane }) => lane));
  const crossings = (newest === 0n ? [] : await listCrossings(context, newest)).filter(
    ({ lane }) => stream === "" || there.has(lane),
  );
  if (context.output.isTable) return show(context, { newest, streams, lanes, crossings });
  context.output.value({
    epoch: Number(newest),
    streams: streams.map((each) => plain(StreamStatusSchema, each)),
    lanes: lanes.map((each) => plain(LaneStatusSchema, each)),
    crossings: crossings.map((each) => plain(CrossingSchema, each)),
  });
}

async function listStreams(context: Context): Promise<StreamStatus[]> {
  const { ingress } = await context.clients();
  return pages(async (pageToken) => {
    const page = await ingress.listStreams(
      { parent: context.parent(), pageSize: PAGE_SIZE, pageToken },
      { signal: context.signal },
    );
    return { items: page.streams, next: page.nextPageToken };
  });
}

async function listLanes(context: Context, stream: string, includeEnded: boolean): Promise<LaneStatus[]> {
  const { ingress } = await context.clients();
  return pages(async (pageToken) => {
    const page = await ingress.listLanes(
      { parent: context.parent(), stream, includeEnded, pageSize: PAGE_SIZE, pageToken },
      { signal: context.signal },
    );
    return { items: page.lanes, next: page.nextPageToken };
  });
}

async function listCrossings(context: Context, epoch: bigint): Promise<Crossing[]> {
  const { ingress } = await context.clients();
  return pages(async (pageToken) => {
    const page = await ingress.listCrossings(
      { parent: context.parent(), epoch, pageSize: PAGE_SIZE, pageToken },
      { signal: context.signal },
    );
    return { items: page.crossings, next: page.nextPageToken };
  });
}

type Status = {
  readonly newest: bigint;
  readonly streams: readonly StreamStatus[];
  readonly lanes: readonly LaneStatus[];
  readonly crossings: readonly Crossing[];
};

function show(context: Context, { newest, streams, lanes, crossings }: Status): void {
  const { output } = context;
  output.line(`${context.parent()} is at epoch ${newest}`);
  for (const line of crossingLines(newest, crossings)) output.line(line);
  output.line("");
  output.list(
    streams,
    [
      { title: "stream", value: (each) => shortName(each.name) },
      { title: "epoch", value: (each) => String(each.lanesEpoch), right: true },
      { title: "live lanes", value: (each) => String(each.liveLanes), right: true },
      { title: "entries", value: (each) => String(each.entries), right: true },
    ],
    () => null,
    "no streams yet",
  );
  output.line("");
  output.list(
    lanes,
    [
      { title: "stream", value: (each) => nameOfIdentity(each.stream) },
      { title: "lane", value: (each) => each.lane },
      { title: "state", value: (each) => enumName(LaneStatus_StateSchema, each.state) },
      { title: "epoch", value: (each) => String(each.epoch), right: true },
      { title: "since seq", value: (each) => String(each.markers.at(-1)?.seq ?? ""), right: true },
      { title: "entries", value: (each) => String(each.tailSeq), right: true },
      { title: "read by", value: readersText, prose: true },
    ],
    () => null,
    "no lanes yet: they open with the first message",
  );
}

/** `totals has crossed it in 3 of 4 lanes`. */
export function crossingLines(epoch: bigint, crossings: readonly Crossing[]): string[] {
  const byQuery = Map.groupBy(crossings, ({ query }) => nameOfIdentity(query));
  return [...byQuery].map(([query, lanes]) => {
    const crossed = lanes.filter((each) => each.crossed).length;
    const which = crossed === lanes.length ? "every lane" : `${crossed} of ${lanes.length} lanes`;
    return `  ${query} has crossed into epoch ${epoch} in ${which}`;
  });
}
