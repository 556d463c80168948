// AWS Lambda as a process of its own that answers an Invoke at once: what is left is what a caller costs.
//
//   node tools/bench/lambda-server.ts
//
// Each message of a call has one output, always the same; answers are made once for each number of messages.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const OUTPUT = JSON.stringify({ date: "2001/01/10 12:30", delay: 130, pay: 250 });
const MESSAGE = Buffer.from('"payload":');
const answers = new Map<number, Buffer>();

function answerTo(count: number): Buffer {
  const known = answers.get(count);
  if (known !== undefined) return known;
  const answer = Buffer.from(
    JSON.stringify({ outcomes: Array.from({ length: count }, () => ({ outputs: [OUTPUT] })) }),
  );
  answers.set(count, answer);
  return answer;
}

function messagesIn(body: Buffer): number {
  let count = 0;
  for (let at = body.indexOf(MESSAGE); at >= 0; at = body.indexOf(MESSAGE, at + MESSAGE.length)) count += 1;
  return count;
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const answer = answerTo(messagesIn(Buffer.concat(chunks)));
    response.writeHead(200, { "x-amz-executed-version": "1", "content-length": answer.length });
    response.end(answer);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.stderr.write(`${JSON.stringify({ event: "lambda.serving", address: `127.0.0.1:${port}` })}\n`);
});
process.once("SIGTERM", () => {
  server.closeAllConnections();
  server.close();
});
