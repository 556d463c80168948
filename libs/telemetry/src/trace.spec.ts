import { INVALID_SPAN_CONTEXT, trace, type Tracer } from "@opentelemetry/api";
import { expect, it } from "vitest";
import { startTracing } from "./start-tracing.ts";
import { currentTrace, inSpan, spanOf, underTrace, withoutTrace } from "./trace.ts";

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const off = { service: "test", version: "0", env: {} };

it("does nothing where nobody asks for traces, and hands on what work gives", async () => {
  expect(await startTracing(off)).toBeUndefined();
  const disabled = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", OTEL_SDK_DISABLED: "true" };
  expect(await startTracing({ ...off, env: disabled })).toBeUndefined();
  expect(currentTrace()).toBeUndefined();
  expect(await inSpan("x", {}, () => Promise.resolve(7))).toBe(7);
  await expect(inSpan("x", {}, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(underTrace(parent, () => 8)).toBe(8);
  spanOf(parent, "x", { fromMs: 1, toMs: 2 }, {});
});

it("keeps the trace that was carried through what the work begins, and a malformed one from doing harm", async () => {
  // Nothing listens there: what is told is dropped, and keeps nobody from going on.
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" };
  await using _tracing = await startTracing({ ...off, env });
  const trace = await underTrace(parent, async () => {
    await Promise.resolve();
    return await inSpan("x", {}, () => Promise.resolve(currentTrace()));
  });
  expect(trace).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
  expect(trace).not.toBe(parent);
  expect(underTrace(parent, () => withoutTrace(() => currentTrace()))).toBeUndefined();
  for (const bad of [
    "",
    "x",
    `${parent}\n`,
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    undefined,
  ])
    expect(underTrace(bad, () => currentTrace())).toBeUndefined();
});

it("makes spans for whoever embeds it with a provider of his own", async () => {
  const names: string[] = [];
  const tracer: Tracer = {
    startSpan: (name) => {
      names.push(name);
      return trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
    },
    startActiveSpan: () => undefined as never,
  };
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
  try {
    expect(await inSpan("x", {}, () => Promise.resolve(7))).toBe(7);
    expect(names).toEqual(["x"]);
  } finally {
    trace.disable();
  }
});
