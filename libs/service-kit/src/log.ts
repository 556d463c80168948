/** Logs by pino: JSON lines, or one readable line an event when stderr is a terminal (STYLE 15). */
import type { Log } from "@greco/ports";
import { destination, pino, stdTimeFunctions, type DestinationStream, type Logger } from "pino";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

export type LogOptions = {
  /** The app: `registry`, `conductor-worker`. */
  readonly service: string;
  readonly level?: LogLevel;
  /** Default: stderr, so that stdout stays for data. */
  readonly write?: (line: string) => void;
  /** Default: whether stderr is a terminal. */
  readonly pretty?: boolean;
};

export function createLog(options: LogOptions): Log {
  const pretty = options.pretty ?? (options.write === undefined && process.stderr.isTTY);
  // Synchronous: what a process says as it dies must not stay in a buffer.
  const sink = options.write ?? stderrSink();
  const stream: DestinationStream = { write: pretty ? (line) => sink(prettyLine(line)) : sink };
  const logger = pino(
    {
      level: options.level ?? "info",
      base: { service: options.service },
      messageKey: "event",
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  return wrap(logger);
}

function stderrSink(): (line: string) => void {
  const stderr = destination({ fd: 2, sync: true });
  return (line) => {
    stderr.write(line);
  };
}

function wrap(logger: Logger): Log {
  return {
    debug: (event, fields) => logger.debug(loggable(fields), event),
    info: (event, fields) => logger.info(loggable(fields), event),
    warn: (event, fields) => logger.warn(loggable(fields), event),
    error: (event, fields) => logger.error(loggable(fields), event),
    child: (fields) => wrap(logger.child(loggable(fields))),
  };
}

/** Errors with their chain of causes, bigints as text: JSON has neither. */
function loggable(fields: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value instanceof Error) result[key] = errorChain(value);
    else if (typeof value === "bigint") result[key] = value.toString();
    else result[key] = value;
  }
  return result;
}

const CAUSES_MAX = 8;

export type ErrorLink = { readonly name: string; readonly message: string; readonly stack?: string };

/** An error and its causes, outermost first; only the innermost carries its stack. */
export function errorChain(error: unknown): readonly ErrorLink[] {
  const chain: ErrorLink[] = [];
  let current: unknown = error;
  while (current !== undefined && chain.length < CAUSES_MAX) {
    if (!(current instanceof Error)) {
      chain.push({ name: "thrown", message: describe(current) });
      break;
    }
    const innermost = !(current.cause instanceof Error) && current.stack !== undefined;
    chain.push({
      name: current.name,
      message: current.message,
      ...(innermost ? { stack: current.stack } : {}),
    });
    current = current.cause;
  }
  return chain;
}

/** What was thrown and is no error. */
function describe(thrown: unknown): string {
  return typeof thrown === "string" ? thrown : (JSON.stringify(thrown) ?? typeof thrown);
}

function prettyLine(line: string): string {
  const { level, time, service, event, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([key, value]) =>
    typeof value === "string" ? `${key}=${value}` : `${key}=${JSON.stringify(value)}`,
  );
  const clock = String(time).slice(11, 23);
  return `${[clock, String(level).toUpperCase().padEnd(5), `[${String(service)}]`, String(event), ...rest].join(" ")}\n`;
}
