/** A host that makes a function of each program before it loads it, as a conductor has done before a runtime comes. */
import {
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionConfigurationCommand,
  type LambdaClient,
} from "@aws-sdk/client-lambda";
import type { LambdaContent, QueryContent, TableContent } from "@greco/domain/epoch";
import type { FunctionHost, Log, Program } from "@greco/ports";
import { createLambdaClient, type LambdaAccess } from "../client.ts";
import { configHashOf } from "@greco/domain/epoch";
import { settingsOf } from "../configuration.ts";
import { FUNCTION_HANDLER, FUNCTION_RUNTIME, functionCode } from "../function-code.ts";
import { functionSource } from "../function-source.ts";
import { createLambdaFunctionHost } from "../host.ts";

export type DeployOptions = { readonly concurrency: number; readonly batch: number; readonly heapMb: number };

export class DeployingHost implements FunctionHost {
  readonly host: FunctionHost;
  readonly client: LambdaClient;
  readonly #options: DeployOptions;
  readonly #deployed = new Map<string, Promise<Program>>();
  #closed = false;

  constructor(access: LambdaAccess, log: Log, options: DeployOptions) {
    this.host = createLambdaFunctionHost({ access, log });
    this.client = createLambdaClient(access, { maxAttempts: 3 });
    this.#options = options;
  }

  async load(program: Program, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.host.load(this.#closed ? program : await this.deployed(program), signal);
  }

  invoke(...args: Parameters<FunctionHost["invoke"]>): ReturnType<FunctionHost["invoke"]> {
    return this.host.invoke(...args);
  }

  unload(programId: string): void {
    this.host.unload(programId);
  }

  /** The program with the binding of its function, once. */
  deployed(program: Program): Promise<Program> {
    const known = this.#deployed.get(program.id);
    if (known !== undefined) return known;
    const deploying = this.#deploy(program);
    this.#deployed.set(program.id, deploying);
    return deploying;
  }

  async #deploy(program: Program): Promise<Program> {
    const query = parse(program.query);
    if (query === undefined) return program;
    const tables = Object.entries(program.tables).map(
      ([name, text]) => ({ ...(JSON.parse(text) as TableContent), name }) as const,
    );
    const { zip } = functionCode(await functionSource(new AbortController().signal), query, tables);
    const FunctionName = nameOf(program);
    const { Version: Qualifier } = await this.client.send(
      new CreateFunctionCommand({
        FunctionName,
        Role: "arn:aws:iam::000000000000:role/contract",
        Runtime: FUNCTION_RUNTIME,
        Handler: FUNCTION_HANDLER,
        Timeout: Math.ceil(query.timeoutMs / 1_000),
        Code: { ZipFile: zip },
        // No emulator ends a process that takes more than the function's memory.
        Environment: { Variables: { NODE_OPTIONS: `--max-old-space-size=${this.#options.heapMb}` } },
        Publish: true,
      }),
    );
    const look = new GetFunctionConfigurationCommand({ FunctionName, Qualifier });
    let version = await this.client.send(look);
    while (version.State !== "Active") version = await this.client.send(look);
    const { FunctionArn: arn = "", CodeSha256: codeSha256 = "" } = version;
    // AWS says which version it is in its name; ministack does not.
    const qualifiedArn = `${arn.replace(/:\d+$/, "")}:${Qualifier}`;
    const { concurrency, batch } = this.#options;
    const configHash = configHashOf(settingsOf(version));
    const lambda: LambdaContent = { qualifiedArn, codeSha256, configHash, concurrency, batch };
    return { id: program.id, query: JSON.stringify({ ...query, tables: [], lambda }), tables: {} };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return this.host[Symbol.asyncDispose]();
    this.#closed = true;
    await this.host[Symbol.asyncDispose]();
    await Promise.allSettled(this.#deployed.values());
    for (const id of this.#deployed.keys())
      // A program that nothing could be made of has no function.
      await this.client
        .send(new DeleteFunctionCommand({ FunctionName: nameOf({ id }) }))
        .catch(() => undefined);
    this.client.destroy();
  }
}

/** Of this process, because servers are shared. */
export function nameOf({ id }: Pick<Program, "id">): string {
  return `contract-${process.pid}-${id}`;
}

function parse(text: string): QueryContent | undefined {
  try {
    return JSON.parse(text) as QueryContent;
  } catch {
    return undefined;
  }
}
