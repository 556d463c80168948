// A loader: so many calls under way for a round, and calls by bare grpc-js with bytes for messages, so that the two
// sides of a ratio cost the loader the same.
import {
  Client,
  credentials,
  Metadata,
  type ClientDuplexStream,
  type ClientReadableStream,
} from "@grpc/grpc-js";

const ROUND_MS = 1_500;

/** Calls a second (or what they say that they did), with so many under way at any moment, for one round. */
export async function rate(concurrency: number, call: () => Promise<number | void>): Promise<number> {
  const began = performance.now();
  let done = 0;
  const one = async (): Promise<void> => {
    while (!roundOver(began)) {
      const did = await call();
      done += did ?? 1;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, one));
  return done / ((performance.now() - began) / 1_000);
}

/** Since when a round runs, for loops of their own. */
export const roundOver = (began: number): boolean => performance.now() - began >= ROUND_MS;

const same = (bytes: Buffer): Buffer => bytes;

export type BareClient = Disposable & {
  unary(path: string, request: Buffer): Promise<Buffer>;
  stream(path: string, request: Buffer): ClientReadableStream<Buffer>;
  both(path: string): ClientDuplexStream<Buffer, Buffer>;
};

/** On a connection of its own. */
export function bareClient(address: string, token: string): BareClient {
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
  });
  const metadata = (): Metadata => {
    const made = new Metadata();
    made.set("authorization", `Bearer ${token}`);
    return made;
  };
  return {
    unary: (path, request) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(path, same, same, request, metadata(), (error, answer) => {
          if (error === null && answer !== undefined) resolve(answer);
          else reject(error ?? new Error("no answer"));
        });
      }),
    stream: (path, request) => client.makeServerStreamRequest(path, same, same, request, metadata()),
    both: (path) => client.makeBidiStreamRequest(path, same, same, metadata()),
    [Symbol.dispose]: () => client.close(),
  };
}
