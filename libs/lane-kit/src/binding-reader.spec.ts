import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedBindingStore } from "@greco/adapter-embedded";
import type { BindingRef } from "@greco/domain/epoch";
import type { EntityIdentity } from "@greco/domain/model";
import { candidateId } from "@greco/domain/model";
import type { BindingStore } from "@greco/ports";
import { simulatedClock } from "@greco/simulation";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BindingMissingError, createBindingReader, sha256 } from "./binding-reader.ts";
import { MODEL } from "./testing/world.ts";

const never = new AbortController().signal;
const entity = "query/q@1" as EntityIdentity;
const ref = (content: string, candidate = "c1"): BindingRef => ({
  entity,
  candidate: candidateId(candidate),
  hash: sha256(content),
});

describe("createBindingReader", () => {
  let folder: string;
  let bindingStore: BindingStore;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "greco-bindings-"));
    bindingStore = await openEmbeddedBindingStore({
      path: join(folder, "b.sqlite"),
      clock: simulatedClock(),
    });
  });
  afterEach(async () => {
    await bindingStore[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });
  const put = (content: string, candidate = "c1") =>
    bindingStore.putBindings([{ model: MODEL, ...ref(content, candidate), content }], never);

  it("fetches once, and keeps what was used last", async () => {
    await put("one");
    await put("two", "c2");
    const reader = createBindingReader({ bindingStore, model: MODEL, keptChars: 5 });
    expect(reader.peek(ref("one"))).toBeUndefined();
    expect(await Promise.all([reader.content(ref("one"), never), reader.content(ref("one"), never)])).toEqual(
      ["one", "one"],
    );
    expect(reader.peek(ref("one"))).toBe("one");
    expect(await reader.content(ref("two", "c2"), never)).toBe("two");
    expect(reader.peek(ref("one"))).toBeUndefined();
  });

  it("R6: takes no content that has another hash than the ledger names", async () => {
    await put("stored");
    const reader = createBindingReader({ bindingStore, model: MODEL });
    const other = { ...ref("stored"), hash: sha256("committed") };
    await expect(reader.content(other, never)).rejects.toThrow("is stored with another content");
    await expect(reader.content(ref("gone", "c9"), never)).rejects.toThrow(BindingMissingError);
  });

  it("I12: looks again for what was not to be had", async () => {
    const reader = createBindingReader({ bindingStore, model: MODEL });
    await expect(reader.content(ref("late"), never)).rejects.toMatchObject({ binding: ref("late") });
    await put("late");
    expect(await reader.content(ref("late"), never)).toBe("late");
  });
});
