export { startTracing } from "./start-tracing.ts";
export type { TracingOptions } from "./start-tracing.ts";
export { currentTrace, inSpan, spanOf, underTrace, withoutTrace } from "./trace.ts";
export type { SpanAttributes, SpanRole } from "./trace.ts";
