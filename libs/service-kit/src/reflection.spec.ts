import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  type FileDescriptorProto,
} from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { CommitService } from "@greco/contracts/greco/commit/v1/commit";
import { ServerReflection } from "@greco/contracts/grpc/reflection/v1/reflection";
import { ServerReflection as ServerReflectionAlpha } from "@greco/contracts/grpc/reflection/v1alpha/reflection";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "./clock.ts";
import { createLog } from "./log.ts";
import { serve, type Server } from "./serve.ts";
import { implementPartly, trustingAuthority } from "./testing/index.ts";

let server: Server;
beforeAll(async () => {
  server = await serve(
    {
      services: [implementPartly(CommitService, {})],
      listen: { host: "127.0.0.1", port: 0 },
      authority: trustingAuthority(),
      log: createLog({ service: "test", level: "silent" }),
      clock: systemClock,
    },
    new AbortController().signal,
  );
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

describe.each([
  ["v1", ServerReflection],
  ["v1alpha", ServerReflectionAlpha as unknown as typeof ServerReflection],
])("reflection %s", (_name, service) => {
  type Asked = { case: string; value: unknown };

  async function ask(...asked: Asked[]) {
    const client = createClient(service, createGrpcTransport({ baseUrl: `http://${server.address}` }));
    const requests = async function* () {
      for (const messageRequest of asked) yield { messageRequest } as never;
    };
    const answers = [];
    for await (const { messageResponse } of client.serverReflectionInfo(requests()))
      answers.push(messageResponse);
    return answers;
  }

  it("lists services, its own included, without a token", async () => {
    const [answer] = await ask({ case: "listServices", value: "" });
    expect(answer).toMatchObject({ case: "listServicesResponse" });
    expect((answer?.value as { service: { name: string }[] }).service.map(({ name }) => name)).toEqual([
      "greco.commit.v1.CommitService",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
    ]);
  });

  it("gives a client all that it needs to call a method that it knows by name only", async () => {
    const [answer] = await ask({
      case: "fileContainingSymbol",
      value: "greco.commit.v1.CommitService.MakeItSo",
    });
    if (answer?.case !== "fileDescriptorResponse") throw new Error(`got ${answer?.case}`);
    const file = answer.value.fileDescriptorProto.map((bytes) =>
      fromBinary(FileDescriptorProtoSchema, bytes),
    );
    expect(file[0]?.name).toBe("greco/commit/v1/commit.proto");
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: importsFirst(file) }));
    const method = registry.getService("greco.commit.v1.CommitService")?.method["makeItSo"];
    expect(method?.input.fields.map(({ name }) => name)).toContain("confirm_within");
  });

  it("finds files by name, type, field, enum value and extension, and says what it does not find", async () => {
    const cases = await ask(
      { case: "fileByFilename", value: "google/protobuf/duration.proto" },
      { case: "fileContainingSymbol", value: "greco.commit.v1.Proposal" },
      { case: "fileContainingSymbol", value: "greco.commit.v1.Proposal.phase" },
      { case: "fileContainingSymbol", value: "greco.commit.v1.Phase.PHASE_QUEUED" },
      {
        case: "fileContainingExtension",
        value: { containingType: "google.protobuf.MethodOptions", extensionNumber: 50501 },
      },
      { case: "allExtensionNumbersOfType", value: "google.protobuf.MethodOptions" },
      { case: "fileContainingSymbol", value: "greco.commit.v1.Nothing" },
      { case: "fileContainingSymbol", value: "" },
      { case: "fileByFilename", value: "nothing.proto" },
    );
    expect(cases.map((each) => each.case)).toEqual([
      ...Array.from({ length: 5 }, () => "fileDescriptorResponse"),
      "allExtensionNumbersResponse",
      ...Array.from({ length: 3 }, () => "errorResponse"),
    ]);
    expect(cases[5]?.value).toMatchObject({ extensionNumber: [50501, 50502] });
    expect(cases[6]?.value).toMatchObject({
      errorCode: 5,
      errorMessage: "no symbol greco.commit.v1.Nothing here",
    });
  });
});

function importsFirst(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const sorted = new Set<FileDescriptorProto>();
  const visit = (file: FileDescriptorProto): void => {
    for (const name of file.dependency) visit(files.find((each) => each.name === name) ?? missing(name));
    sorted.add(file);
  };
  for (const file of files) visit(file);
  return [...sorted];
}

function missing(name: string): never {
  throw new Error(`the answer lacks ${name}`);
}
