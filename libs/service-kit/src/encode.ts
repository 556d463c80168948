/** Responses as bytes, behind the handler and before the wire. */
import { type DescMessage, type Message, toBinary } from "@bufbuild/protobuf";

type Encoded = { bytes?: Buffer };

const toMany = new WeakMap<Message, Encoded>();

/** A message that many callers will be told, and nobody changes: it is encoded once for all of them. */
export function toldToMany<M extends Message>(message: M): M {
  toMany.set(message, {});
  return message;
}

export function encode(schema: DescMessage, message: Message): Buffer {
  const encoded = toMany.get(message);
  if (encoded === undefined) return bytesOf(schema, message);
  encoded.bytes ??= bytesOf(schema, message);
  return encoded.bytes;
}

function bytesOf(schema: DescMessage, message: Message): Buffer {
  const bytes = toBinary(schema, message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
