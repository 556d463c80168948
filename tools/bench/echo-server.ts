// Bare grpc-js, as a process of its own: what a call, or a write to many streams, costs without Greco.
//
//   node tools/bench/echo-server.ts BYTES
//
// `/bare/echo` answers with so many bytes, `/bare/watch` is a stream that stays, `/bare/poke` writes so many bytes to all
// streams and answers.
import {
  Server,
  ServerCredentials,
  type MethodDefinition,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
} from "@grpc/grpc-js";

const answer = Buffer.alloc(Number(process.argv[2] ?? 200), 1);
const same = (bytes: Buffer): Buffer => bytes;
const method = (name: string, responseStream = false): MethodDefinition<Buffer, Buffer> => ({
  path: `/bare/${name}`,
  requestStream: false,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});

type Unary = ServerUnaryCall<Buffer, Buffer>;
const streams = new Set<ServerWritableStream<Buffer, Buffer>>();
const server = new Server({ "grpc.max_concurrent_streams": 4_096 });
server.addService(
  { echo: method("echo"), poke: method("poke"), watch: method("watch", true) },
  {
    echo: (_call: Unary, callback: sendUnaryData<Buffer>) => callback(null, answer),
    poke: (_call: Unary, callback: sendUnaryData<Buffer>) => {
      for (const stream of streams) stream.write(answer);
      callback(null, answer);
    },
    watch: (stream: ServerWritableStream<Buffer, Buffer>) => {
      streams.add(stream);
      stream.once("cancelled", () => streams.delete(stream));
      stream.write(answer);
    },
  },
);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.stderr.write(`${JSON.stringify({ event: "bare.serving", address: `127.0.0.1:${port}` })}\n`);
});
process.once("SIGTERM", () => server.forceShutdown());
