/**
 * The caller's trace goes with each call, as W3C's `traceparent`, if the program uses OpenTelemetry; without it this
 * does next to nothing. Unary calls are spans of their own, their repeats included; streams only carry the trace.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import type { Metadata } from "@grpc/grpc-js";
import { context, isSpanContextValid, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { GrecoError } from "./error.ts";

const tracer = trace.getTracer("greco-sdk");

export async function inClientSpan<T>(method: DescMethod, call: () => Promise<T>): Promise<T> {
  const span = tracer.startSpan(`${method.parent.typeName}/${method.name}`, { kind: SpanKind.CLIENT });
  if (!span.isRecording()) return await call();
  span.setAttribute("rpc.system", "grpc");
  try {
    return await context.with(trace.setSpan(context.active(), span), call);
  } catch (error) {
    const message = error instanceof GrecoError ? error.reason : String(error);
    span.setStatus({ code: SpanStatusCode.ERROR, message });
    throw error;
  } finally {
    span.end();
  }
}

export function carryTrace(metadata: Metadata): void {
  const span = trace.getSpanContext(context.active());
  if (span === undefined || !isSpanContextValid(span)) return;
  const flags = span.traceFlags.toString(16).padStart(2, "0");
  metadata.set("traceparent", `00-${span.traceId}-${span.spanId}-${flags}`);
}
