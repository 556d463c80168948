/**
 * Traces leave the process by OTLP over HTTP, where the environment says so; the packages that do it are loaded only
 * then. The variables are OpenTelemetry's own (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS,
 * OTEL_RESOURCE_ATTRIBUTES, …).
 */
import { context, trace } from "@opentelemetry/api";

export type TracingOptions = {
  /** The app: `registry`. */
  readonly service: string;
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
};

/** Undefined: nobody wants them. Disposal sends what is left, within a few seconds. */
export async function startTracing(options: TracingOptions): Promise<AsyncDisposable | undefined> {
  const { env } = options;
  const wanted = env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] || env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  if (!wanted || env["OTEL_SDK_DISABLED"] === "true") return undefined;
  const { createProvider, createContexts } = await import("./exporter.ts");
  const provider = createProvider(options);
  context.setGlobalContextManager(createContexts());
  trace.setGlobalTracerProvider(provider);
  let ended: Promise<void> | undefined;
  return {
    [Symbol.asyncDispose]() {
      // A collector that is down keeps nobody from stopping.
      ended ??= provider.shutdown().catch(() => undefined);
      trace.disable();
      context.disable();
      return ended;
    },
  };
}
