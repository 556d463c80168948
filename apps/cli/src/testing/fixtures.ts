/** What the tests of the command line put into models, and how they read what it prints. */
import { expect } from "vitest";
import type { Greco, GrecoDev, Ran } from "./greco.ts";

export const MODEL = `
kind: Stream
name: orders
spec:
  lanes: 1
  schema:
    type: object
    required: [id, amount]
    properties: { id: { type: string }, amount: { type: number } }
---
kind: Stream
name: invoices
spec: { schema: { type: object } }
---
kind: Query
name: invoice
spec:
  from: orders
  to: invoices
  select: { id: event.id, total: event.amount * 2.0 }
`;
export const queryWith = (total: string): string =>
  `kind: Query\nname: invoice\nspec:\n  from: orders\n  to: invoices\n  select: { id: event.id, total: ${total} }\n`;

export const order = (id: string, amount: unknown): string => `${JSON.stringify({ id, amount })}\n`;
export const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");
export const jsonl = <T>(text: string): T[] => lines(text).map((line) => JSON.parse(line) as T);

export function ok(ran: Ran): Ran {
  expect(ran, ran.stderr).toMatchObject({ code: 0 });
  return ran;
}

/** A model whose first version is MODEL. */
export async function withVersion1(dev: GrecoDev): Promise<Greco> {
  const on = await dev.model();
  ok(await on(["draft", "apply", "first", "-f", await dev.file("model.yaml", MODEL)]));
  ok(await on(["make-it-so", "first", "--wait", "--reason", "the first version"]));
  return on;
}
