// The proxy between AWS's own SDK and ministack: each fault is what the SDK takes it for, and what has had an effect is
// read from ministack itself.
import { GetRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import {
  CreateAliasCommand,
  CreateFunctionCommand,
  DeleteFunctionCommand,
  DeleteProvisionedConcurrencyConfigCommand,
  GetAccountSettingsCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  GetProvisionedConcurrencyConfigCommand,
  InvokeCommand,
  LambdaClient,
  LambdaServiceException,
  ListVersionsByFunctionCommand,
  PublishVersionCommand,
  PutProvisionedConcurrencyConfigCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from "@aws-sdk/client-lambda";
import { randomUUID } from "node:crypto";
import { strToU8, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { servers } from "../servers/for-tests.ts";
import { until } from "../servers/until.ts";
import { type Emulate, emptyAccount } from "./emulation.ts";
import { errorCodes } from "./fault.ts";
import { openLambdaFaults } from "./lambda-faults.ts";

const { signal } = new AbortController();
const ACTIVE_WITHIN_MS = 60_000;

const settings = (endpoint: string, maxAttempts = 1) => ({
  endpoint,
  region: "eu-central-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
  maxAttempts,
});

/** ministack, or moto, with a proxy before it; `direct` goes around the proxy. */
async function open({
  engine = "ministack",
  emulate = {},
}: { engine?: "ministack" | "moto"; emulate?: Emulate } = {}) {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await servers[engine]({}, signal));
  const target = `http://${cluster.addresses[0]}`;
  const proxy = stack.use(await openLambdaFaults({ target, emulate }, signal));
  const client = (endpoint: string, maxAttempts?: number): LambdaClient => {
    const made = new LambdaClient(settings(endpoint, maxAttempts));
    stack.defer(() => made.destroy());
    return made;
  };
  const world = {
    proxy,
    lambda: client(proxy.endpoint),
    /** With the SDK's own attempts. */
    patient: client(proxy.endpoint, 3),
    direct: client(target),
  };
  const owned = stack.move();
  return {
    ...world,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
type World = Awaited<ReturnType<typeof open>>;

const zipOf = (text: string): Uint8Array => zipSync({ "index.js": strToU8(text) });
const ANSWERS_ONE = zipOf("exports.handler = async () => 1;");
const ANSWERS_TWO = zipOf("exports.handler = async () => 2;");

const newFunction = (FunctionName: string): CreateFunctionCommand =>
  new CreateFunctionCommand({
    FunctionName,
    Role: "arn:aws:iam::000000000000:role/any",
    Runtime: "nodejs24.x",
    Handler: "index.handler",
    Timeout: 3,
    Code: { ZipFile: ANSWERS_ONE },
  });

const settled = ({ direct }: World, FunctionName: string): Promise<void> =>
  until(
    async () => {
      const found = await direct.send(new GetFunctionConfigurationCommand({ FunctionName }));
      return found.State === "Active" && found.LastUpdateStatus === "Successful";
    },
    { what: `${FunctionName} to be active`, withinMs: ACTIVE_WITHIN_MS, signal },
  );

/** An active function, of a name of its own. */
async function given(world: World): Promise<string> {
  const FunctionName = `faults-${randomUUID()}`;
  await world.direct.send(newFunction(FunctionName));
  await settled(world, FunctionName);
  return FunctionName;
}

const timeoutOf = async ({ direct }: World, FunctionName: string): Promise<number | undefined> =>
  (await direct.send(new GetFunctionConfigurationCommand({ FunctionName }))).Timeout;

const errors = ([409, 412, 429, 500, 503] as const).flatMap((status) =>
  (["before", "after"] as const).map((when) => ({ status, when, code: errorCodes[status] })),
);

describe("errors", () => {
  it.each(errors)("answers $status $when the effect as $code", async ({ status, when, code }) => {
    await using world = await open();
    const FunctionName = await given(world);
    const armed = world.proxy.arm({
      operation: "UpdateFunctionConfiguration",
      functionName: FunctionName,
      what: { type: "error", status, code, when },
    });
    const update = new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 9 });
    const error: unknown = await world.lambda.send(update).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LambdaServiceException);
    const { name, $metadata, message } = error as LambdaServiceException;
    expect({ name, status: $metadata.httpStatusCode }).toEqual({ name: code, status });
    expect(message).toContain("Injected");
    await armed.hit;
    expect(await timeoutOf(world, FunctionName)).toBe(when === "before" ? 3 : 9);
    const call = world.proxy.calls.at(-1);
    expect(call?.response?.status).toBe(status);
    expect(call?.forwarded?.status).toBe(when === "before" ? undefined : 200);
    expect(call?.injected?.what).toEqual({ type: "error", status, code, when });
  });

  it("is repeated by the SDK's own attempts, each of which is a call", async () => {
    await using world = await open();
    const FunctionName = await given(world);
    world.proxy.arm({
      operation: "UpdateFunctionConfiguration",
      times: 2,
      what: { type: "error", status: 429, code: errorCodes[429], when: "before" },
    });
    await world.patient.send(new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 9 }));
    expect(world.proxy.calls.map(({ response }) => response?.status)).toEqual([429, 429, 200]);
    expect(await timeoutOf(world, FunctionName)).toBe(9);
  });

  it("answers IAM in its own format", async () => {
    await using world = await open();
    const iam = new IAMClient(settings(world.proxy.endpoint));
    using _ = { [Symbol.dispose]: () => iam.destroy() };
    world.proxy.arm({
      operation: "GetRole",
      what: { type: "error", status: 500, code: "ServiceFailure", when: "before" },
    });
    const role = new GetRoleCommand({ RoleName: "no-such-role" });
    await expect(iam.send(role)).rejects.toMatchObject({ name: "ServiceFailureException" });
    await expect(iam.send(role)).rejects.toMatchObject({ name: "NoSuchEntityException" });
  });
});

describe("a lost answer", () => {
  it.each(["before", "after"] as const)("cuts the connection %s the effect", async (when) => {
    await using world = await open();
    const FunctionName = await given(world);
    world.proxy.arm({ operation: "UpdateFunctionConfiguration", what: { type: "lost", when } });
    const update = new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 9 });
    await expect(world.lambda.send(update)).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(await timeoutOf(world, FunctionName)).toBe(when === "before" ? 3 : 9);
    const call = world.proxy.calls.at(-1);
    expect([call?.response, call?.forwarded?.status]).toEqual([
      undefined,
      when === "before" ? undefined : 200,
    ]);
  });

  it("has a function created that its caller does not know of", async () => {
    await using world = await open();
    const FunctionName = `faults-${randomUUID()}`;
    world.proxy.arm({ operation: "CreateFunction", what: { type: "lost", when: "after" } });
    await expect(world.lambda.send(newFunction(FunctionName))).rejects.toMatchObject({ code: "ECONNRESET" });
    await expect(world.lambda.send(newFunction(FunctionName))).rejects.toMatchObject({
      name: "ResourceConflictException",
    });
  });
});

describe("a slow activation", () => {
  it("shows a new function as Pending, so many reads long", async () => {
    await using world = await open();
    const FunctionName = `faults-${randomUUID()}`;
    world.proxy.arm({ operation: "CreateFunction", what: { type: "slow", forms: 3 } });
    expect((await world.lambda.send(newFunction(FunctionName))).State).toBe("Pending");
    // Of the target's own half second nothing is left: what is seen is the fault's.
    await settled(world, FunctionName);
    const read = async () =>
      (await world.lambda.send(new GetFunctionConfigurationCommand({ FunctionName }))).State;
    const inFull = async () =>
      (await world.lambda.send(new GetFunctionCommand({ FunctionName }))).Configuration?.State;
    const states = [await read(), await inFull(), await read(), await read(), await inFull()];
    expect(states).toEqual(["Pending", "Pending", "Pending", "Active", "Active"]);
  });

  it("shows an update as InProgress", async () => {
    await using world = await open();
    const FunctionName = await given(world);
    world.proxy.arm({ operation: "UpdateFunctionCode", what: { type: "slow", forms: 1 } });
    const update = new UpdateFunctionCodeCommand({ FunctionName, ZipFile: ANSWERS_TWO });
    expect((await world.lambda.send(update)).LastUpdateStatus).toBe("InProgress");
    await settled(world, FunctionName);
    const read = async () => {
      const { State, LastUpdateStatus } = await world.lambda.send(
        new GetFunctionConfigurationCommand({ FunctionName }),
      );
      return [State, LastUpdateStatus];
    };
    expect([await read(), await read()]).toEqual([
      ["Active", "InProgress"],
      ["Active", "Successful"],
    ]);
  });

  it("shows a version as Pending, by whatever name it is read, and its function not", async () => {
    await using world = await open();
    const FunctionName = await given(world);
    world.proxy.arm({ operation: "PublishVersion", what: { type: "slow", forms: 3 } });
    const published = await world.lambda.send(new PublishVersionCommand({ FunctionName }));
    expect([published.Version, published.State]).toEqual(["1", "Pending"]);
    const stateOf = async (input: { FunctionName: string; Qualifier?: string }) =>
      (await world.lambda.send(new GetFunctionConfigurationCommand(input))).State;
    const version = { FunctionName, Qualifier: "1" };
    const arn = { FunctionName: published.FunctionArn ?? "" };
    expect(await stateOf({ FunctionName })).toBe("Active");
    const states = [await stateOf(version), await stateOf(arn), await stateOf(version), await stateOf(arn)];
    expect(states).toEqual(["Pending", "Pending", "Pending", "Active"]);
  });

  it("shows provisioned concurrency as IN_PROGRESS", async () => {
    await using world = await open();
    const FunctionName = await given(world);
    await world.lambda.send(new PublishVersionCommand({ FunctionName }));
    const of = { FunctionName, Qualifier: "1" };
    world.proxy.arm({ operation: "PutProvisionedConcurrencyConfig", what: { type: "slow", forms: 1 } });
    const put = new PutProvisionedConcurrencyConfigCommand({ ...of, ProvisionedConcurrentExecutions: 2 });
    const read = async () => {
      const found = await world.lambda.send(new GetProvisionedConcurrencyConfigCommand(of));
      return [found.Status, found.AvailableProvisionedConcurrentExecutions];
    };
    expect((await world.lambda.send(put)).Status).toBe("IN_PROGRESS");
    expect([await read(), await read()]).toEqual([
      ["IN_PROGRESS", 0],
      ["READY", 2],
    ]);
  });
});

describe("a failed activation", () => {
  const reason = "The image is broken.";

  it("shows a function as Failed until it is deleted", async () => {
    await using world = await open();
    const FunctionName = `faults-${randomUUID()}`;
    world.proxy.arm({ operation: "CreateFunction", what: { type: "failed", reason } });
    expect((await world.lambda.send(newFunction(FunctionName))).State).toBe("Pending");
    const read = async () => {
      const found = await world.lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
      return [found.State, found.StateReason];
    };
    expect([await read(), await read()]).toEqual([
      ["Failed", reason],
      ["Failed", reason],
    ]);
    await world.lambda.send(new DeleteFunctionCommand({ FunctionName }));
    await world.lambda.send(newFunction(FunctionName));
    await settled(world, FunctionName);
    expect((await read())[0]).toBe("Active");
  });

  it("shows an update as Failed until the next one", async () => {
    await using world = await open();
    const FunctionName = await given(world);
    world.proxy.arm({ operation: "UpdateFunctionConfiguration", what: { type: "failed", reason } });
    const update = new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 9 });
    await world.lambda.send(update);
    const read = async () => {
      const found = await world.lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
      return [found.State, found.LastUpdateStatus, found.LastUpdateStatusReason];
    };
    expect(await read()).toEqual(["Active", "Failed", reason]);
    await world.lambda.send(update);
    await settled(world, FunctionName);
    expect((await read())[1]).toBe("Successful");
  });

  it("shows a version and provisioned concurrency as Failed, after they were slow", async () => {
    await using world = await open();
    const FunctionName = await given(world);
    world.proxy.arm({ operation: "PublishVersion", what: { type: "slow", forms: 1 } });
    world.proxy.arm({ operation: "PublishVersion", what: { type: "failed", reason } });
    await world.lambda.send(new PublishVersionCommand({ FunctionName }));
    const of = { FunctionName, Qualifier: "1" };
    const read = async () => (await world.lambda.send(new GetFunctionCommand(of))).Configuration?.State;
    expect([await read(), await read(), await read()]).toEqual(["Pending", "Failed", "Failed"]);
    world.proxy.arm({ operation: "PutProvisionedConcurrencyConfig", what: { type: "failed", reason } });
    await world.lambda.send(
      new PutProvisionedConcurrencyConfigCommand({ ...of, ProvisionedConcurrentExecutions: 2 }),
    );
    expect(await world.lambda.send(new GetProvisionedConcurrencyConfigCommand(of))).toMatchObject({
      Status: "FAILED",
      StatusReason: reason,
    });
  });

  it("is forgotten with the version, and with its function", async () => {
    await using world = await open();
    const FunctionName = `faults-${randomUUID()}`;
    const of = { FunctionName, Qualifier: "1" };
    const published = async (): Promise<string | undefined> => {
      await world.lambda.send(newFunction(FunctionName));
      await settled(world, FunctionName);
      await world.lambda.send(new PublishVersionCommand({ FunctionName }));
      return (await world.lambda.send(new GetFunctionConfigurationCommand(of))).State;
    };
    world.proxy.arm({ operation: "PublishVersion", times: 2, what: { type: "failed", reason } });
    expect(await published()).toBe("Failed");
    // ministack counts versions from 1 again.
    await world.lambda.send(new DeleteFunctionCommand({ FunctionName }));
    expect(await published()).toBe("Failed");
    await world.lambda.send(new DeleteFunctionCommand(of));
    await world.lambda.send(new DeleteFunctionCommand({ FunctionName }));
    expect(await published()).toBe("Active");
  });

  it("is not of a write that was refused", async () => {
    await using world = await open();
    const FunctionName = await given(world);
    const armed = world.proxy.arm({ operation: "CreateFunction", what: { type: "failed", reason } });
    await expect(world.lambda.send(newFunction(FunctionName))).rejects.toMatchObject({
      name: "ResourceConflictException",
    });
    expect(armed.hits).toBe(0);
    expect((await world.lambda.send(new GetFunctionCommand({ FunctionName }))).Configuration?.State).toBe(
      "Active",
    );
  });
});

it("logs which version an Invoke has run", async () => {
  await using world = await open();
  const FunctionName = await given(world);
  await world.lambda.send(new PublishVersionCommand({ FunctionName }));
  await world.lambda.send(new InvokeCommand({ FunctionName, Qualifier: "1", Payload: '{"greco":1}' }));
  expect(world.proxy.calls.at(-1)).toMatchObject({
    operation: "Invoke",
    functionName: FunctionName,
    qualifier: "1",
    request: { body: { greco: 1 } },
    response: { status: 200, body: 1, executedVersion: "1" },
  });
});

describe("emulation", () => {
  it("publishes what CodeSha256 and RevisionId say, and no version twice", async () => {
    await using world = await open({ emulate: { publish: true } });
    const FunctionName = await given(world);
    const latest = await world.lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
    const publish = (more: object) => world.lambda.send(new PublishVersionCommand({ FunctionName, ...more }));
    await expect(publish({ CodeSha256: "b3RoZXI=" })).rejects.toMatchObject({
      name: "InvalidParameterValueException",
    });
    await expect(publish({ RevisionId: randomUUID() })).rejects.toMatchObject({
      name: "PreconditionFailedException",
    });
    const { CodeSha256, RevisionId } = latest;
    const first = await publish({ CodeSha256, RevisionId, Description: "first" });
    expect([first.Version, first.Description]).toEqual(["1", "first"]);
    // Another revision with the same content: ministack would make another version of it.
    await world.lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 3 }));
    await settled(world, FunctionName);
    const again = await publish({ Description: "again" });
    expect([again.Version, again.Description]).toEqual(["1", "first"]);
    await world.lambda.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: ANSWERS_TWO }));
    await settled(world, FunctionName);
    expect((await publish({})).Version).toBe("2");
    const { Versions } = await world.direct.send(new ListVersionsByFunctionCommand({ FunctionName }));
    expect(Versions?.map(({ Version }) => Version)).toEqual(["$LATEST", "1", "2"]);
  });

  it("refuses writes while one is under way, and calls of what is not active", async () => {
    await using world = await open({ emulate: { busy: true } });
    const FunctionName = await given(world);
    world.proxy.arm({ operation: "UpdateFunctionConfiguration", what: { type: "slow", forms: 1 } });
    const update = new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 9 });
    await world.lambda.send(update);
    await settled(world, FunctionName);
    const busy = { name: "ResourceConflictException" };
    await expect(world.lambda.send(update)).rejects.toMatchObject(busy);
    await expect(world.lambda.send(new PublishVersionCommand({ FunctionName }))).rejects.toMatchObject(busy);
    await world.lambda.send(new GetFunctionCommand({ FunctionName }));
    world.proxy.arm({ operation: "PublishVersion", what: { type: "slow", forms: 1 } });
    await world.lambda.send(new PublishVersionCommand({ FunctionName }));
    const invoke = new InvokeCommand({ FunctionName, Qualifier: "1" });
    await expect(world.lambda.send(invoke)).rejects.toMatchObject(busy);
    await world.lambda.send(new GetFunctionCommand({ FunctionName, Qualifier: "1" }));
    expect((await world.lambda.send(invoke)).ExecutedVersion).toBe("1");
  });

  it("has an account with as little room as it is told", async () => {
    const account = { ...emptyAccount, AccountUsage: { TotalCodeSize: 80_530_636_800, FunctionCount: 9 } };
    await using world = await open({ emulate: { accountSettings: account } });
    const { AccountUsage } = await world.lambda.send(new GetAccountSettingsCommand({}));
    expect(AccountUsage).toEqual(account.AccountUsage);
  });

  it("gives moto an account and provisioned concurrency", async () => {
    await using world = await open({
      engine: "moto",
      emulate: { accountSettings: emptyAccount, provisioned: true },
    });
    const { AccountLimit } = await world.lambda.send(new GetAccountSettingsCommand({}));
    expect(AccountLimit?.ConcurrentExecutions).toBe(1_000);
    const of = { FunctionName: "any", Qualifier: "1" };
    const read = new GetProvisionedConcurrencyConfigCommand(of);
    const none = { name: "ProvisionedConcurrencyConfigNotFoundException" };
    await expect(world.lambda.send(read)).rejects.toMatchObject(none);
    const put = new PutProvisionedConcurrencyConfigCommand({ ...of, ProvisionedConcurrentExecutions: 2 });
    expect((await world.lambda.send(put)).Status).toBe("IN_PROGRESS");
    expect((await world.lambda.send(read)).Status).toBe("READY");
    await world.lambda.send(new DeleteProvisionedConcurrencyConfigCommand(of));
    await expect(world.lambda.send(read)).rejects.toMatchObject(none);
  });
});

// What README.md's table says of ministack, where the emulation or a reader leans on it: a newer one may differ.
it("stands before a ministack that takes an alias to a missing version, and publishes whatever the revision", async () => {
  await using world = await open();
  const FunctionName = await given(world);
  const alias = new CreateAliasCommand({ FunctionName, Name: "live", FunctionVersion: "99" });
  expect((await world.lambda.send(alias)).FunctionVersion).toBe("99");
  const stale = new PublishVersionCommand({ FunctionName, RevisionId: randomUUID() });
  expect((await world.lambda.send(stale)).Version).toBe("1");
});
