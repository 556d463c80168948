import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { InspectResponseSchema, type InspectResponse } from "@greco/contracts/greco/commit/v1/commit";
import { describe, expect, it } from "vitest";
import { diagnoseAccess } from "./access.ts";
import { showInspection, type Verb } from "./inspection.ts";
import { Output, type Format } from "./output.ts";
import { TestSink } from "./testing/sink.ts";

type Part = NonNullable<MessageInitShape<typeof InspectResponseSchema>["part"]>;
type Inspected = NonNullable<(Part & { case: "conductor" })["value"]["inspected"]>;

const header = (...conductors: string[]): Part => ({
  case: "header",
  value: { model: "models/m", conductors: conductors.map((each) => `conductors/${each}`) },
});
const from = (conductor: string, inspected: Inspected): Part => ({
  case: "conductor",
  value: { conductor: `conductors/${conductor}`, inspected },
});
const summary = (...silent: string[]): Part => ({
  case: "summary",
  value: { silent: silent.map((each) => `conductors/${each}`) },
});

async function* responses(...parts: readonly Part[]): AsyncGenerator<InspectResponse> {
  await Promise.resolve();
  for (const part of parts) yield create(InspectResponseSchema, { part });
}

const deleted = {
  entity: "models/m/entities/query/late",
  object: "function greco-m-late-7, version 3",
  reason: "VERSION_MISSING",
  message: "somebody has deleted it",
  remedy: "greco repair publishes it again",
};
const looked = { supported: true, version: 7n };
const differing = { ...looked, drifts: [deleted], driftCount: 1n };

async function shown(verb: Verb, parts: readonly Part[], format: Format = "table") {
  const [out, err] = [new TestSink(), new TestSink()];
  let code = 0;
  const exit = (given: number): void => {
    code = given;
  };
  await showInspection({ output: new Output(format, false, out, err), exit }, responses(...parts), verb);
  return { code, text: out.text, notes: err.text };
}

describe("drift", () => {
  it("shows, by conductor, of which entity what differs and what to do, and ends with 2", async () => {
    const { code, text } = await shown("drift", [
      header("streams", "lambda"),
      from("streams", { supported: false }),
      from("lambda", differing),
      summary(),
    ]);
    expect(code).toBe(2);
    expect(text).toBe(
      [
        "✗ lambda: one difference from version 7",
        "    ✗ query/late, function greco-m-late-7, version 3: somebody has deleted it [VERSION_MISSING]",
        "      → greco repair publishes it again",
        "- streams: makes nothing outside that it could look at",
        "",
        "It differs: greco repair puts back what can be put back.",
        "",
      ].join("\n"),
    );
  });

  it("ends with 0 where nothing differs, and says what was left out", async () => {
    const changing = ["a", "b", "c", "d", "e", "f"].map((name) => `models/m/entities/query/${name}`);
    const all = { ...looked, changing, changingCount: 9n };
    const { code, text } = await shown("drift", [header("lambda"), from("lambda", all), summary()]);
    expect(code).toBe(0);
    expect(text).toBe(
      [
        "✓ lambda: as version 7 says",
        "    left out, as a proposal is changing them: query/a, query/b, query/c, query/d, query/e, 4 more",
        "",
        "Nothing differs.",
        "",
      ].join("\n"),
    );
  });

  it.each([
    ["who keeps silent", [from("lambda", differing), summary("other")], "? other: no answer in time"],
    [
      "who could not look",
      [from("lambda", { ...looked, failure: "the cloud is away" }), summary()],
      "? lambda: could not look: the cloud is away",
    ],
  ])("names %s, and ends with 1: what differs is not known", async (_what, parts, line) => {
    const { code, text } = await shown("drift", [header("lambda", "other"), ...parts]);
    expect(code).toBe(1);
    expect(text).toContain(line);
    expect(text).toContain("Not all have looked");
  });

  it("says how many are not told, and that there is nobody to ask", async () => {
    const many = await shown("drift", [from("lambda", { ...differing, driftCount: 501n }), summary()]);
    expect(many.text).toContain("✗ lambda: 501 differences from version 7");
    expect(many.text).toContain("    … and 500 more: settle these, and look again\n");
    expect(await shown("drift", [header(), summary()])).toMatchObject({
      ...{ code: 0, text: "\nNo conductor has a vote in this model, so nothing stands outside.\n" },
    });
  });

  it("is data for scripts, with all that was said", async () => {
    const parts = [header("lambda"), from("lambda", differing), summary("other")];
    const { code, text } = await shown("drift", parts, "jsonl");
    expect(code).toBe(1);
    expect(
      text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([
      { header: { conductors: ["conductors/lambda"] } },
      { conductor: { inspected: { version: 7, driftCount: 1, drifts: [{ ...deleted, mended: false }] } } },
      { summary: { silent: ["conductors/other"] } },
    ]);
  });

  it("shows no control character of what a cloud says", async () => {
    const drifts = [{ ...deleted, message: "\u001b[2Jgone\n✓ well" }];
    const { text } = await shown("drift", [from("lambda", { ...differing, drifts }), summary()]);
    expect(text).not.toContain("\u001b");
    expect(text.split("\n").filter((line) => line.startsWith("✓"))).toEqual([]);
  });
});

describe("repair", () => {
  it("ends with 0 where all is put back", async () => {
    const mended = { ...differing, drifts: [{ ...deleted, mended: true }] };
    const { code, text } = await shown("repair", [header("lambda"), from("lambda", mended), summary()]);
    expect(code).toBe(0);
    expect(text).toContain("✓ lambda: one difference from version 7\n    ✓ query/late, function");
    expect(text).toContain("      → put back\n\nNothing differs.\n");
  });

  it("ends with 2 where something is left, or might be among what is not told", async () => {
    const left = await shown("repair", [from("lambda", differing), summary()]);
    expect(left.code).toBe(2);
    expect(left.text).toContain("It still differs");
    const mended = { ...differing, drifts: [{ ...deleted, mended: true }], driftCount: 501n };
    expect((await shown("repair", [from("lambda", mended), summary()])).code).toBe(2);
  });
});

describe("doctor aws", () => {
  const diagnosed = async (...parts: readonly Part[]): Promise<string[]> => {
    const all: string[] = [];
    for await (const { what, state, detail } of diagnoseAccess(responses(...parts)))
      all.push(`${state} ${what}: ${detail}`);
    return all;
  };
  const lacks = {
    ...{ object: "lambda:GetFunction", reason: "ACCESS_DENIED", message: "is not allowed" },
    remedy: "give it deploy/aws/policy.json",
  };

  it("says who may do all that it needs, who may not, and who does not say", async () => {
    expect(
      await diagnosed(
        from("streams", { supported: false }),
        from("lambda", { supported: true }),
        from("lambda-eu", { supported: true, drifts: [lacks], driftCount: 2n }),
        from("lambda-us", { supported: true, failure: "the region is away" }),
        summary("lambda-ap"),
      ),
    ).toEqual([
      "ok lambda: its credentials and permissions are enough",
      "bad lambda-eu: lambda:GetFunction: is not allowed [ACCESS_DENIED]; give it deploy/aws/policy.json",
      "bad lambda-eu: and 1 more: settle these, and look again",
      "bad lambda-us: could not look: the region is away",
      "bad lambda-ap: no answer in time; greco conductor list tells when it was last heard",
    ]);
  });

  it("says that nobody works on it", async () => {
    expect(await diagnosed(from("streams", { supported: false }), summary())).toMatchObject([
      expect.stringMatching(/^bad aws: no conductor of this model works on it: start conductor-lambda/),
    ]);
  });
});
