/** Text lines as chunks of bytes, cut anywhere: a spec may be longer than a value of the store. */
export type LineReader = AsyncGenerator<string, void, undefined>;

const LINE_FEED = 0x0a;

/** Each line ends with its line feed. */
export function* toChunks(lines: Iterable<string>, bytesMax: number): Generator<Uint8Array, void, undefined> {
  let parts: Buffer[] = [];
  let used = 0;
  for (const line of lines) {
    let rest: Buffer = Buffer.from(line, "utf8");
    while (used + rest.length >= bytesMax) {
      parts.push(rest.subarray(0, bytesMax - used));
      yield Buffer.concat(parts, bytesMax);
      rest = rest.subarray(bytesMax - used);
      parts = [];
      used = 0;
    }
    if (rest.length === 0) continue;
    parts.push(rest);
    used += rest.length;
  }
  if (used > 0) yield Buffer.concat(parts, used);
}

/** The lines without their line feeds. Each is a text of its own: none keeps a whole chunk in memory. */
export async function* fromChunks(chunks: AsyncIterable<Uint8Array>): LineReader {
  let rest: Buffer[] = [];
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let start = 0;
    for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, start)) {
      const piece = bytes.subarray(start, end);
      yield (rest.length === 0 ? piece : Buffer.concat([...rest, piece])).toString("utf8");
      rest = [];
      start = end + 1;
    }
    if (start < bytes.length) rest.push(bytes.subarray(start));
  }
  if (rest.length > 0) yield Buffer.concat(rest).toString("utf8");
}
