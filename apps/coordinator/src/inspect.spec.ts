import type { InspectResponse } from "@greco/contracts/greco/commit/v1/commit";
import { InspectRequest_Subject as Subject } from "@greco/contracts/greco/commit/v1/commit";
import { Inspect_Mode as Mode } from "@greco/contracts/greco/conductor/v1/conductor";
import { afterAll, beforeAll, expect, it } from "vitest";
import { acceptReady, bystander, type AnswerCase } from "./testing/conductor.ts";
import { errorOf, eventually, options, World } from "./testing/world.ts";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

let models = 0;
async function newModel(): Promise<string> {
  const model = `m${(models += 1)}`;
  await world.model(model);
  return model;
}

const drift = {
  ...{ entity: "", object: "function f", reason: "VERSION_MISSING" },
  ...{ message: "version 3 is gone", remedy: "greco repair" },
};
const found = (version = 7): AnswerCase => ({
  case: "inspected",
  value: { supported: true, version: BigInt(version), drifts: [drift], driftCount: 1n },
});
const watchful = { ...bystander, inspect: () => found() };

type Call = "drift" | "access" | "mend";

async function inspect(
  call: Call,
  request: { model: string; conductor?: string; timeout?: { seconds?: bigint; nanos?: number } },
  { token = call === "mend" ? "rhea" : "vera", at = world } = {},
) {
  const { commit } = at.as(token);
  const subject = call === "access" ? Subject.ACCESS : Subject.DRIFT;
  const responses =
    call === "mend"
      ? commit.mend({ ...request, reason: "somebody clicked" }, options)
      : commit.inspect({ ...request, subject }, options);
  const parts: InspectResponse["part"][] = [];
  for await (const { part } of responses) parts.push(part);
  const [first, last] = [parts[0], parts.at(-1)];
  return {
    asked: first?.case === "header" ? first.value.conductors : undefined,
    found: parts.flatMap((part) => (part.case === "conductor" ? [part.value] : [])),
    silent: last?.case === "summary" ? last.value.silent : undefined,
  };
}

it("hands on what each conductor found, as it comes, and names at the deadline who kept silent", async () => {
  const model = await newModel();
  const watcher = await world.conductor("watcher", watchful, model);
  await world.conductor("silent", { ...bystander, inspect: () => undefined }, model);
  const { asked, found, silent } = await inspect("drift", {
    model: `models/${model}`,
    timeout: { nanos: 900_000_000 },
  });
  expect(asked).toEqual(["conductors/silent", "conductors/watcher"]);
  expect(found).toMatchObject([
    {
      conductor: "conductors/watcher",
      inspected: { supported: true, version: 7n, drifts: [drift], driftCount: 1n },
    },
  ]);
  expect(silent).toEqual(["conductors/silent"]);
  const [told, ...reminders] = watcher.told("inspect");
  expect(told?.command).toMatchObject({ value: { mode: Mode.DRIFT, remaining: { nanos: 810_000_000 } } });
  // Heard by all, and not asked of who has answered.
  expect(reminders.map(({ addressees }) => addressees).flat()).not.toContain("conductors/watcher");
});

it("asks one alone, and each for what is wanted of it", async () => {
  const model = await newModel();
  const [a, b] = [await world.conductor("a", watchful, model), await world.conductor("b", watchful, model)];
  const request = { model: `models/${model}`, conductor: "conductors/b" };
  for (const call of ["drift", "access", "mend"] as const)
    expect(await inspect(call, request)).toMatchObject({ asked: ["conductors/b"], silent: [] });
  const modesOf = (conductor: typeof a): unknown[] =>
    conductor
      .told("inspect")
      .filter(({ addressees }) => addressees.includes(`conductors/${conductor.name}`))
      .map(({ command }) => (command.case === "inspect" ? command.value.mode : undefined));
  expect([modesOf(a), modesOf(b)]).toEqual([[], [Mode.DRIFT, Mode.ACCESS, Mode.MEND]]);
});

it("asks again who has not answered, since the control log may lose what it is given", async () => {
  let lost = 0;
  await using losing = await World.open({
    wrap: {
      controlLog: (log) => ({
        publish: (model, ...rest) =>
          model === "lossy" && lost++ < 2 ? Promise.resolve() : log.publish(model, ...rest),
        subscribe: (...asked) => log.subscribe(...asked),
        [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
      }),
    },
  });
  await losing.model("lossy");
  await losing.conductor("a", watchful, "lossy");
  lost = 0;
  const { found, silent } = await inspect("drift", { model: "models/lossy" }, { at: losing });
  expect([lost > 2, found.length, silent]).toEqual([true, 1, []]);
});

it("a mend is in the audit log before anybody is asked, a look is not in it", async () => {
  const model = await newModel();
  const recorded: Promise<unknown>[] = [];
  const audited = async () => {
    const { auditRecords } = await world
      .as("ada")
      .registry.listAuditRecords({ parent: `models/${model}`, pageSize: 100 }, options);
    return auditRecords.filter(({ method }) => method.endsWith("/Mend"));
  };
  await world.conductor(
    "a",
    {
      ...bystander,
      inspect: () => {
        recorded.push(audited());
        return found();
      },
    },
    model,
  );
  const request = { model: `models/${model}` };
  expect(await inspect("drift", request)).toMatchObject({ silent: [] });
  expect(await recorded[0]).toEqual([]);
  expect(await inspect("mend", request)).toMatchObject({ silent: [] });
  expect(await recorded[1]).toMatchObject([{ actor: "rhea", reason: "somebody clicked", outcome: "asked" }]);
});

it("I15: of no model, of an unknown conductor, or with no time is refused; as are too many at once", async () => {
  const model = await newModel();
  const refusal = async (request: Parameters<typeof inspect>[1]) => errorOf(inspect("drift", request));
  expect(await refusal({ model: "models/none" })).toMatchObject({ reason: "MODEL_NOT_FOUND" });
  const name = `models/${model}`;
  expect(await refusal({ model: name, conductor: "conductors/x" })).toMatchObject({
    ...{ code: "NOT_FOUND", reason: "CONDUCTOR_NOT_FOUND" },
  });
  expect(await refusal({ model: name, conductor: "x" })).toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(await refusal({ model: name, timeout: { seconds: 100_000n } })).toMatchObject({
    ...{ code: "INVALID_ARGUMENT", reason: "INVALID_TIMEOUT", violations: [{ field: "timeout" }] },
  });
  // Nobody is there who could be asked.
  expect(await inspect("drift", { model: name })).toEqual({ asked: [], found: [], silent: [] });

  const asked = await world.conductor("slow", { ...bystander, inspect: () => undefined }, model);
  const all = Array.from({ length: 4 }, () => inspect("drift", { model: name }));
  await eventually(
    () => new Set(asked.told("inspect").map(({ commandId }) => commandId)).size,
    (count) => count === 4,
  );
  expect(await refusal({ model: name })).toMatchObject({
    ...{ code: "RESOURCE_EXHAUSTED", reason: "TOO_MANY_INSPECTIONS" },
  });
  for (const { commandId } of asked.told("inspect")) await asked.answer({ commandId }, found());
  for (const { silent } of await Promise.all(all)) expect(silent).toEqual([]);
});

it("an answer that is none, to an inspection that is over, or from who was not asked is refused", async () => {
  const model = await newModel();
  const answer = async (conductor: Awaited<ReturnType<World["conductor"]>>, case_: AnswerCase) =>
    (await errorOf(conductor.answer({ commandId }, case_))).reason;
  const says = { ...bystander, inspect: () => undefined };
  const asked = await world.conductor("asked", says, model);
  const late = await world.conductor("late", says, model);
  const looking = inspect("drift", { model: `models/${model}` });
  const [told] = await eventually(
    () => asked.told("inspect"),
    (all) => all.length > 0,
  );
  const other = await world.conductor("other", bystander, model);
  const { commandId } = told ?? { commandId: "" };
  expect(await answer(asked, acceptReady())).toBe("WRONG_ANSWER");
  expect(await answer(other, found())).toBe("NOT_ASKED");
  // The first answer counts, and it alone: for another's it is not taken.
  for (const version of [8, 9]) await asked.answer({ commandId }, found(version));
  await late.answer({ commandId }, found(7));
  expect((await looking).found).toMatchObject([
    { conductor: "conductors/asked", inspected: { version: 8n } },
    { conductor: "conductors/late", inspected: { version: 7n } },
  ]);
  expect(await answer(asked, found())).toBe("INSPECTION_ENDED");
});
