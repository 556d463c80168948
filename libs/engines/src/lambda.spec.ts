import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type FunctionHost, type Program, ProgramLoadError } from "@greco/ports";
import { createLog, parseConfig } from "@greco/service-kit";
import { describe, expect, it } from "vitest";
import { lambdaSettings, openFunctionHost } from "./lambda.ts";

const never = new AbortController().signal;
const log = createLog({ service: "test", level: "silent" });

/** Notes what it is asked. */
function hostThatNotes(notes: string[]): FunctionHost {
  return {
    load: ({ id }) => Promise.resolve(void notes.push(`load ${id}`)),
    invoke: (id) => Promise.resolve(notes.push(`invoke ${id}`)).then(() => []),
    unload: (id) => void notes.push(`unload ${id}`),
    [Symbol.asyncDispose]: () => Promise.resolve(void notes.push("closed")),
  };
}

const programOf = (id: string, lambda?: object): Program => ({
  id,
  query: JSON.stringify({ name: "late", ...(lambda === undefined ? {} : { lambda }) }),
  tables: {},
});

const open = (notes: string[], ...flags: readonly string[]): Promise<FunctionHost> =>
  openFunctionHost(hostThatNotes(notes), { given: parseConfig(lambdaSettings, { flags, env: {} }), log });

describe("without a region", () => {
  it("runs programs on the worker host, and refuses one that needs Lambda with the setting to give", async () => {
    const notes: string[] = [];
    {
      await using host = await open(notes);
      await host.load(programOf("w"), never);
      const refused = await host.load(programOf("l", {}), never).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(ProgramLoadError);
      expect(refused).toMatchObject({
        reason: "LAMBDA_NOT_CONFIGURED",
        message: expect.stringContaining("--lambda-region") as string,
      });
      await host.invoke("w", [], never);
      host.unload("w");
    }
    expect(notes).toEqual(["load w", "invoke w", "unload w", "closed"]);
  });

  it("loads nothing of AWS", async () => {
    const script = `
      const { registerHooks } = await import("node:module");
      registerHooks({ load(url, context, next) { if (/@aws-sdk|@smithy/.test(url)) console.log(url); return next(url, context); } });
      const { openFunctionHost } = await import(${JSON.stringify(import.meta.resolve("./lambda.ts"))});
      const host = await openFunctionHost({}, { given: JSON.parse(process.argv[1]), log: {} });
      console.log("opened");`;
    const run = async (given: object): Promise<string> =>
      (
        await promisify(execFile)(process.execPath, [
          "--input-type=module",
          "-e",
          script,
          JSON.stringify(given),
        ])
      ).stdout;
    expect(await run({})).toBe("opened\n");
    // As it would be seen if it were loaded.
    expect(await run({ lambdaRegion: "eu-west-1" })).toContain("@aws-sdk");
  });

  it("takes no endpoint", async () => {
    await expect(open([], "--lambda-endpoint=http://127.0.0.1:1")).rejects.toThrow(
      "--lambda-region is missing",
    );
  });
});

it("with a region gives each program to the host that its binding names", async () => {
  const notes: string[] = [];
  {
    await using host = await open(notes, "--lambda-region=eu-west-1", "--lambda-endpoint=http://127.0.0.1:1");
    await host.load(programOf("w"), never);
    // The Lambda host's own refusal: no version is named.
    await expect(host.load(programOf("l", {}), never)).rejects.toThrow(/numbered version/);
    await expect(host.load({ id: "x", query: "{", tables: {} }, never)).resolves.toBeUndefined();
  }
  expect(notes).toEqual(["load w", "load x", "closed"]);
});
