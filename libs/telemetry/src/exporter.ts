/** OpenTelemetry's own packages, put together; loaded only where traces are wanted. */
import type { ContextManager } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { TracingOptions } from "./start-tracing.ts";

/** A collector that does not answer: neither memory nor a stop waits for it longer. */
const EXPORT_TIMEOUT_MS = 3_000;
const SPANS_QUEUED_MAX = 4_096;
/** Soon enough for somebody who looks at a trace while it happens. */
const EXPORT_EVERY_MS = 1_000;

export function createProvider({ service, version }: TracingOptions): TracerProvider {
  const own = { "service.name": `greco-${service}`, "service.version": version };
  const exporter = new OTLPTraceExporter({ timeoutMillis: EXPORT_TIMEOUT_MS });
  return new TracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes(own))
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        maxQueueSize: SPANS_QUEUED_MAX,
        scheduledDelayMillis: EXPORT_EVERY_MS,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
  });
}

export function createContexts(): ContextManager {
  return new AsyncLocalStorageContextManager().enable();
}
