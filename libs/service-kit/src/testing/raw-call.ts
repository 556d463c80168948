/**
 * A caller that keeps no rule: sends any bytes to any path and shows the whole status. For tests of what a server
 * answers to bad input (I15).
 */
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
  type ErrorInfo,
} from "@greco/contracts/google/rpc/error_details";
import { Code } from "@greco/contracts/google/rpc/code";
import { StatusSchema } from "@greco/contracts/google/rpc/status";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";

export type RawAnswer = {
  /** `OK`, `INVALID_ARGUMENT`, … */
  readonly code: string;
  readonly message: string;
  readonly infos: readonly ErrorInfo[];
  /** Paths of BadRequest. */
  readonly fields: readonly string[];
  readonly retry: boolean;
  readonly response: Uint8Array | undefined;
};

export type RawCall = {
  readonly address: string;
  /** `/greco.registry.v1.RegistryService/GetModel` */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Header values by their lower-case name. */
  readonly headers?: Readonly<Record<string, string>>;
};

export function rawCall({ address, path, bytes, headers = {} }: RawCall): Promise<RawAnswer> {
  const client = new Client(address, credentials.createInsecure(), { "grpc.max_send_message_length": -1 });
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const same = (each: Buffer): Buffer => each;
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, same, same, Buffer.from(bytes), metadata, (error, response) => {
      client.close();
      resolve(error === null ? { ...nothing, response } : answerOf(error));
    });
  });
}

const nothing = { code: "OK", message: "", infos: [], fields: [], retry: false, response: undefined };

function answerOf(error: ServiceError): RawAnswer {
  const bytes = error.metadata.get("grpc-status-details-bin")[0];
  const details = bytes instanceof Uint8Array ? fromBinary(StatusSchema, bytes).details : [];
  return {
    code: Object.entries(Code).find(([, code]) => code === error.code)?.[0] ?? String(error.code),
    message: error.details,
    infos: details.flatMap((any) => anyUnpack(any, ErrorInfoSchema) ?? []),
    fields: details.flatMap(
      (any) => anyUnpack(any, BadRequestSchema)?.fieldViolations.map(({ field }) => field) ?? [],
    ),
    retry: details.some((any) => anyUnpack(any, RetryInfoSchema) !== undefined),
    response: undefined,
  };
}
