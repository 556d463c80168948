/** Reads of any size, page by page, all at the revision of the first page. */
import {
  CompactedError,
  type KeyRange,
  type KeyValue,
  type RangeResult,
  type ReadOptions,
} from "@greco/ports";
import type { IRangeRequest, IRangeResponse } from "etcd3";
import type { Attempt, Calls } from "./calls.ts";
import type { Wire } from "./wire.ts";

/** Keys of the first page; the next ones take as many as make about that many bytes. */
const FIRST_PAGE = 500;
const PAGE_BYTES = 4_000_000;
const PAGE = { min: 8, max: 10_000 } as const;

type Asked = { readonly range: KeyRange; readonly options: ReadOptions; readonly signal: AbortSignal };

function nextLimit(page: IRangeResponse): number {
  const bytes = page.kvs.reduce((sum, kv) => sum + kv.key.length + kv.value.length + 64, 0);
  const each = Math.max(1, bytes / Math.max(1, page.kvs.length));
  return Math.min(PAGE.max, Math.max(PAGE.min, Math.floor(PAGE_BYTES / each)));
}

/** A replica that answers from its own state needs no leader; one that has not come to the revision yet does not do. */
async function readPage(calls: Calls, request: IRangeRequest, signal: AbortSignal): Promise<IRangeResponse> {
  const { serializable = false, ...linearizable } = request;
  if (serializable)
    try {
      const noLeader = { interceptors: [] };
      const attempt: Attempt<IRangeResponse> = (client, each) =>
        client.kv.range(request, { ...each, ...noLeader });
      return await calls.readAnywhere(attempt, signal);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  return calls.read((client, each) => client.kv.range(linearizable, each), signal);
}

async function readPages(calls: Calls, wire: Wire, { range, options, signal }: Asked): Promise<RangeResult> {
  const wanted = options.limit ?? Number.POSITIVE_INFINITY;
  const entries: KeyValue[] = [];
  let answered: number | undefined;
  let limit = FIRST_PAGE;
  let next = range;
  for (;;) {
    const revision = options.revision ?? answered;
    const at = revision === undefined ? options : { ...options, revision };
    const asked = { ...at, limit: Math.min(limit, wanted - entries.length) };
    const page = await readPage(calls, wire.read(next, asked), signal);
    answered ??= Number(page.header.revision);
    for (const kv of page.kvs) entries.push(wire.entry(kv));
    const last = entries.at(-1);
    if (!page.more || entries.length >= wanted || last === undefined || "key" in range)
      return { entries, more: page.more, revision: answered };
    next = { prefix: range.prefix, after: last.key };
    limit = nextLimit(page);
  }
}

export async function readRange(calls: Calls, wire: Wire, asked: Asked): Promise<RangeResult> {
  if (asked.options.limit !== undefined && asked.options.limit <= 0)
    return readPages(calls, wire, { ...asked, options: { ...asked.options, limit: 1 } }).then(
      ({ entries, revision }) => ({ entries: [], more: entries.length > 0, revision }),
    );
  for (;;) {
    try {
      return await readPages(calls, wire, asked);
    } catch (error) {
      // Compacted between two pages of a read that named no revision: it is the read's to start again.
      if (!(error instanceof CompactedError) || asked.options.revision !== undefined) throw error;
    }
  }
}
