/**
 * What runs in AWS: index.mjs of the zip, beside query.json and tables.json. The same programs as on worker threads,
 * and the same answers, as far as one process can give them: a call that blocks the process, or ends it, is AWS's to
 * end, and the runtime's to find among the others of its batch.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ProgramLoadError } from "@greco/ports";
import { CALL_FORMAT, type CallRequest, type CallResponse } from "../call.ts";
import { guardProcess } from "./guard.ts";
import { loadRunner, type Runner } from "./runner.ts";

type Loaded = { readonly runner: Runner } | Extract<CallResponse, { refused: unknown }>;

/**
 * Begun while AWS starts the process, so that a warm one only runs. Never rejects. After a refusal it is tried again:
 * what failed may have been the outside's, and repeated calls would keep this process for ever.
 */
let loading: Promise<Loaded> | undefined = load();
// There it is paid for ahead of calls; elsewhere the first call waits for it, under the function's own time limit.
if (process.env["AWS_LAMBDA_INITIALIZATION_TYPE"] === "provisioned-concurrency") await loading;

export async function handler(request: CallRequest): Promise<CallResponse> {
  guardProcess();
  if (request.greco !== CALL_FORMAT)
    return refusal(
      "UNKNOWN_FORMAT",
      `the call has format ${request.greco}, the function knows ${CALL_FORMAT}`,
    );
  loading ??= load();
  const loaded = await loading;
  if (!("runner" in loaded)) {
    loading = undefined;
    return loaded;
  }
  return { outcomes: await loaded.runner(request) };
}

async function load(): Promise<Loaded> {
  try {
    const text = (name: string): Promise<string> => readFile(join(import.meta.dirname, name), "utf8");
    return { runner: await loadRunner(await text("query.json"), await text("tables.json")) };
  } catch (error) {
    if (error instanceof ProgramLoadError) return refusal(error.reason, error.message, error.place);
    return refusal("LOAD_FAILED", error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}

function refusal(reason: string, message: string, place = ""): Extract<CallResponse, { refused: unknown }> {
  return { refused: { reason, place, message } };
}
