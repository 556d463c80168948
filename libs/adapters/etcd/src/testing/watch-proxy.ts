/**
 * A TCP proxy before one node that reads along in HTTP/2, so that a test cuts a connection at an exact message: right
 * behind the answer "created" of a watch, before any of its events.
 */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

const FRAME_HEAD = 9;
const DATA = 0;
/** gRPC's own head of a message: compressed or not, and its length. */
const MESSAGE_HEAD = 5;
/** `created` of a WatchResponse: field 3, a varint. */
const CREATED = 3;

function varint(bytes: Buffer, from: number): { value: number; next: number } {
  let value = 0;
  let next = from;
  for (let shift = 1; ; shift *= 128) {
    const byte = bytes[next++] ?? 0;
    value += (byte & 0x7f) * shift;
    if (byte < 0x80) return { value, next };
  }
}

/** Whether it is a WatchResponse with `created`. Of other messages field 3 is no varint, or not in short ones. */
function isCreated(message: Buffer): boolean {
  let at = 0;
  while (at < message.length) {
    const tag = varint(message, at);
    const value = varint(message, tag.next);
    const wireType = tag.value & 7;
    if (tag.value >> 3 === CREATED && wireType === 0) return value.value === 1;
    if (wireType !== 0 && wireType !== 2) return false;
    at = wireType === 2 ? value.next + value.value : value.next;
  }
  return false;
}

export type WatchProxy = AsyncDisposable & {
  readonly address: string;
  /** How often a connection was cut behind "created". */
  readonly cuts: number;
  /** Cuts the next so many connections right behind "created". */
  cutAtCreation(times: number): void;
  /** Cuts what is open, and lets nobody in until `open`. */
  close(): void;
  open(): void;
  /** Connections stay, and nothing passes any more, as in a cut of the network; new ones pass. */
  freeze(): void;
};

export async function startWatchProxy(target: string): Promise<WatchProxy> {
  const [host = "", port = ""] = target.split(":");
  const open = new Set<() => void>();
  const pipes = new Set<{ frozen: boolean }>();
  let toCut = 0;
  let cuts = 0;
  let closed = false;

  const carry = (client: Socket): void => {
    if (closed) return void client.destroy();
    const server = connect(Number(port), host);
    const pipe = { frozen: false };
    pipes.add(pipe);
    const end = (): void => {
      client.destroy();
      server.destroy();
      open.delete(end);
      pipes.delete(pipe);
    };
    open.add(end);
    for (const socket of [client, server]) socket.on("error", end).on("close", end);
    client.on("data", (bytes: Buffer) => void (pipe.frozen || server.write(bytes)));
    let rest = Buffer.alloc(0);
    server.on("data", (bytes: Buffer) => {
      if (pipe.frozen) return;
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= FRAME_HEAD) {
        const size = FRAME_HEAD + rest.readUIntBE(0, 3);
        if (rest.length < size) return;
        const frame = rest.subarray(0, size);
        rest = rest.subarray(size);
        const isWatchCreated = frame[3] === DATA && isCreated(frame.subarray(FRAME_HEAD + MESSAGE_HEAD));
        if (!isWatchCreated || toCut === 0) {
          client.write(frame);
          continue;
        }
        toCut--;
        cuts++;
        // The answer itself arrives, and nothing behind it.
        open.delete(end);
        pipe.frozen = true;
        client.end(frame);
        server.destroy();
        return;
      }
    });
  };

  const listener = createServer(carry);
  await new Promise<void>((listening) => listener.listen(0, "127.0.0.1", () => listening()));
  return {
    address: `127.0.0.1:${(listener.address() as AddressInfo).port}`,
    get cuts() {
      return cuts;
    },
    cutAtCreation(times) {
      toCut = times;
    },
    close() {
      closed = true;
      for (const end of open) end();
    },
    open() {
      closed = false;
    },
    freeze() {
      for (const pipe of pipes) pipe.frozen = true;
    },
    async [Symbol.asyncDispose]() {
      for (const end of open) end();
      await new Promise<void>((done) => listener.close(() => done()));
    },
  };
}
