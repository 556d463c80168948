/** Bytes to a request; what does not decode is the caller's fault (I15). */
import { fromBinary, type DescMethod, type Message } from "@bufbuild/protobuf";
import { fault } from "./fault.ts";
import { methodName } from "./handlers.ts";

export function decodeRequest(method: DescMethod, bytes: Uint8Array): Message {
  try {
    return fromBinary(method.input, bytes);
  } catch (error) {
    throw fault.invalid(
      "MALFORMED_REQUEST",
      `the request of ${methodName(method)} is no ${method.input.typeName}: ${(error as Error).message}; send its protobuf encoding`,
      [],
      { cause: error },
    );
  }
}
