/**
 * gRPC's server reflection, v1 and v1alpha (the same messages in two packages), from the descriptors in the generated
 * code, so that grpcurl and its like need no proto files.
 */
import { createRegistry, toBinary, type DescFile, type DescService, type Registry } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@greco/contracts/google/rpc/code";
import {
  ServerReflection,
  type ServerReflectionRequest,
} from "@greco/contracts/grpc/reflection/v1/reflection";
import {
  ServerReflection as ServerReflectionAlpha,
  type ServerReflectionRequest as ServerReflectionRequestAlpha,
} from "@greco/contracts/grpc/reflection/v1alpha/reflection";
import { implement, type ServiceImplementation } from "./handlers.ts";

type Request = ServerReflectionRequest | ServerReflectionRequestAlpha;

/** `services` are those to show; reflection itself is added. */
export function createReflection(services: readonly DescService[]): readonly ServiceImplementation[] {
  const shown = [...services, ServerReflection, ServerReflectionAlpha];
  const files = new Map<string, DescFile>();
  for (const { file } of shown) collect(file, files);
  const registry = createRegistry(...files.values());
  const answer = (request: Request) => ({ validHost: request.host, messageResponse: respond(request) });

  function respond({ messageRequest: asked }: Request) {
    switch (asked.case) {
      case "listServices":
        return {
          case: "listServicesResponse" as const,
          value: { service: shown.map(({ typeName }) => ({ name: typeName })).toSorted(byName) },
        };
      case "fileByFilename":
        return fileResponse(files.get(asked.value), `file ${asked.value}`);
      case "fileContainingSymbol":
        return fileResponse(fileOfSymbol(registry, asked.value), `symbol ${asked.value}`);
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = asked.value;
        const message = registry.getMessage(containingType);
        const extension = message && registry.getExtensionFor(message, extensionNumber);
        return fileResponse(extension?.file, `extension ${extensionNumber} of ${containingType}`);
      }
      case "allExtensionNumbersOfType": {
        if (registry.getMessage(asked.value) === undefined) return notFound(`message ${asked.value}`);
        const extensionNumber = [...registry].flatMap((type) =>
          type.kind === "extension" && type.extendee.typeName === asked.value ? type.number : [],
        );
        return {
          case: "allExtensionNumbersResponse" as const,
          value: { baseTypeName: asked.value, extensionNumber },
        };
      }
      case undefined:
        return errorResponse(Code.INVALID_ARGUMENT, "nothing is asked: set one field of message_request");
    }
  }

  return [
    implement(ServerReflection, {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) yield { ...answer(request), originalRequest: request };
      },
    }),
    implement(ServerReflectionAlpha, {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) yield { ...answer(request), originalRequest: request };
      },
    }),
  ];
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

/** A file and all that it imports, by their names. */
function collect(file: DescFile, into: Map<string, DescFile>): Map<string, DescFile> {
  if (into.has(file.proto.name)) return into;
  into.set(file.proto.name, file);
  for (const imported of file.dependencies) collect(imported, into);
  return into;
}

/** The file asked for is the first; clients take the rest as given. */
function fileResponse(file: DescFile | undefined, what: string) {
  if (file === undefined) return notFound(what);
  const fileDescriptorProto = [...collect(file, new Map()).values()].map(({ proto }) =>
    toBinary(FileDescriptorProtoSchema, proto),
  );
  return { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto } };
}

/** A type's full name, or that of a method, field, value or nested thing within one. */
function fileOfSymbol(registry: Registry, symbol: string): DescFile | undefined {
  const type = registry.get(symbol);
  if (type !== undefined) return type.file;
  const dot = symbol.lastIndexOf(".");
  const parent = registry.get(symbol.slice(0, Math.max(0, dot)));
  const name = symbol.slice(dot + 1);
  switch (parent?.kind) {
    case "service":
      return parent.methods.some((method) => method.name === name) ? parent.file : undefined;
    case "message":
      return [...parent.fields, ...parent.oneofs].some((member) => member.name === name)
        ? parent.file
        : undefined;
    case "enum":
      return parent.values.some((value) => value.name === name) ? parent.file : undefined;
    default:
      return undefined;
  }
}

function notFound(what: string) {
  return errorResponse(Code.NOT_FOUND, `no ${what} here`);
}

function errorResponse(errorCode: Code, errorMessage: string) {
  return { case: "errorResponse" as const, value: { errorCode, errorMessage } };
}
