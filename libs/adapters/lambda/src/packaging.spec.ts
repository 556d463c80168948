import type { QueryContent, TableContent } from "@greco/domain/epoch";
import { expect, it } from "vitest";
import { functionCode } from "./function-code.ts";
import { functionSource } from "./function-source.ts";
import { createFunctionPackaging } from "./packaging.ts";

const { signal } = new AbortController();
const query = (name: string): QueryContent => ({
  name,
  from: "in",
  to: "out",
  tables: [],
  select: { n: "event.n" },
  onError: { retries: 0, then: "skip" },
  timeoutMs: 1_000,
  schemas: { from: {}, tables: {} },
});
const table = (pay: number): TableContent => ({ name: "t", key: "id", schema: {}, rows: [{ id: "a", pay }] });

it("packs a function once for a review, its prepare and the create, and never mixes two up", async () => {
  const packaging = createFunctionPackaging();
  const first = await packaging.codeOf(query("a"), [table(1)], signal);
  expect(await packaging.codeOf(query("a"), [table(1)], signal)).toBe(first);
  const others = [
    await packaging.codeOf(query("b"), [table(1)], signal),
    await packaging.codeOf(query("a"), [table(2)], signal),
    await packaging.codeOf(query("a"), [], signal),
  ];
  const hashes = [first, ...others].map(({ codeSha256 }) => codeSha256);
  expect(new Set(hashes).size).toBe(4);
  const source = await functionSource(signal);
  expect(others[0]).toEqual(functionCode(source, query("b"), [table(1)]));
});
