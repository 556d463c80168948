/**
 * Spans and the places where a trace is carried on: a `traceparent` of W3C in a call's metadata, in a proposal's
 * record, in a command, in the ledger. Without an exporter (`startTracing`) each of these does next to nothing.
 *
 * T1. What is carried is only told, never acted on: a malformed one is as good as none.
 */
import {
  context,
  isSpanContextValid,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
} from "@opentelemetry/api";

export type SpanAttributes = Attributes;
export type SpanRole = "server" | "client" | "consumer" | "internal";

const NAME = "greco";

/** Whether anybody takes spans, `startTracing` or who embeds us: one that nobody does costs a call some of its time, too. */
function areWanted(): boolean {
  const provider = trace.getTracerProvider();
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer(NAME) !== undefined;
}

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const satisfies Record<SpanRole, SpanKind>;

/** The work as a span below the present one; what it rejects with marks the span. */
export async function inSpan<T>(
  name: string,
  attributes: SpanAttributes,
  work: () => Promise<T>,
  role: SpanRole = "internal",
): Promise<T> {
  if (!areWanted()) return await work();
  const span = trace.getTracer(NAME).startSpan(name, { kind: KINDS[role], attributes });
  if (!span.isRecording()) return await work();
  try {
    return await context.with(trace.setSpan(context.active(), span), work);
  } catch (error) {
    span.setStatus({
      code: SpanStatusCode.ERROR,
      message: error instanceof Error ? error.message : String(error),
    });
    throw error;
  } finally {
    span.end();
  }
}

/** A span of what is over: `fromMs` to `toMs` by the wall clock, below the trace that was carried here. */
export function spanOf(
  traceparent: string | undefined,
  name: string,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  attributes: SpanAttributes,
): void {
  const parent = contextOf(traceparent);
  if (parent === undefined) return;
  trace
    .getTracer(NAME)
    .startSpan(name, { startTime: fromMs, attributes }, parent)
    .end(Math.max(fromMs, toMs));
}

/** The work, and all that it begins, as part of the trace that was carried here; of none where none was. */
export function underTrace<T>(traceparent: string | undefined, work: () => T): T {
  const parent = contextOf(traceparent);
  return parent === undefined ? work() : context.with(parent, work);
}

/** The work, and all that it begins, as part of no trace: a loop that a call started outlives the call. */
export function withoutTrace<T>(work: () => T): T {
  return context.with(ROOT_CONTEXT, work);
}

/** What is to be carried on; undefined: nobody traces. */
export function currentTrace(): string | undefined {
  const span = trace.getSpanContext(context.active());
  if (span === undefined || !isSpanContextValid(span)) return undefined;
  return `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, "0")}`;
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** T1 */
function contextOf(traceparent: string | undefined): Context | undefined {
  if (traceparent === undefined || traceparent === "") return undefined;
  const [, traceId = "", spanId = "", flags = ""] = TRACEPARENT.exec(traceparent) ?? [];
  const spanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  if (!isSpanContextValid(spanContext)) return undefined;
  return trace.setSpanContext(context.active(), spanContext);
}
