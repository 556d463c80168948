/**
 * Metrics in Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4).
 * Why not a package: docs/decisions/0095-telemetry.md.
 *
 * M1. A name has one meaning: taken twice by counters or histograms it is the same one, with another meaning it throws.
 * M2. A state that cannot be read is left out and logged; the others are shown.
 * M3. The number of a counter's series is bounded: beyond it, labels are summed up as `other`.
 */
import type { Counter, Histogram, Labels, Log, Metrics, Sample } from "@greco/ports";

/** M3: methods × codes are some hundreds; whoever needs more labels a state. */
const SERIES_MAX = 2_000;

export type MetricsRegistry = Metrics & {
  /** Everything, as Prometheus reads it. */
  text(): Promise<string>;
};

type Kind = "counter" | "histogram" | "gauge";
type Family = {
  readonly kind: Kind;
  readonly about: string;
  readonly owner: unknown;
  lines(name: string): string[] | Promise<string[]>;
};

export function createMetrics(log: Log): MetricsRegistry {
  const families = new Map<string, Family>();

  /** M1 */
  const take = <F extends Family>(name: string, make: () => F): F => {
    if (!/^greco_[a-z][a-z0-9_]*$/.test(name)) throw new TypeError(`${name} is no name of a metric: greco_…`);
    const made = make();
    const known = families.get(name);
    if (known === undefined) {
      families.set(name, made);
      return made;
    }
    if (known.kind !== made.kind || known.about !== made.about || made.kind === "gauge")
      throw new TypeError(`${name} is taken: ${known.kind}, ${known.about}`);
    return known as F;
  };

  const linesOf = async (name: string, { kind, about, lines }: Family): Promise<string> => {
    try {
      const body = await lines(name);
      return [`# HELP ${name} ${escapeHelp(about)}`, `# TYPE ${name} ${kind}`, ...body, ""].join("\n");
    } catch (error) {
      log.warn("metrics.unread", { metric: name, error }); // M2
      return "";
    }
  };

  return {
    counter: (name, about) => take(name, () => counterFamily(about)).owner,
    histogram: (name, about, bounds) => take(name, () => histogramFamily(about, bounds)).owner,
    state(name, about, read) {
      const family = take(name, () => ({
        kind: name.endsWith("_total") ? ("counter" as const) : ("gauge" as const),
        ...{ about, owner: read },
        lines: async (own: string) =>
          [...(await read())].map(({ value, labels }: Sample) => line(own, textOf(labels), value)),
      }));
      return () => {
        if (families.get(name) === family) families.delete(name);
      };
    },
    async text() {
      return (await Promise.all([...families].map(([name, family]) => linesOf(name, family)))).join("");
    },
  };
}

function counterFamily(about: string): Family & { readonly owner: Counter } {
  const series = new Series(() => ({ value: 0 }));
  return {
    kind: "counter",
    about,
    owner: { add: (count, labels) => void (series.of(labels).value += count) },
    lines: (name) => series.map((labels, { value }) => [line(name, labels, value)]),
  };
}

function histogramFamily(about: string, bounds: readonly number[]): Family & { readonly owner: Histogram } {
  const series = new Series(() => ({ buckets: bounds.map(() => 0), count: 0, sum: 0 }));
  return {
    kind: "histogram",
    about,
    owner: {
      record(value, labels) {
        const one = series.of(labels);
        one.count += 1;
        one.sum += value;
        const bucket = bounds.findIndex((bound) => value <= bound);
        if (bucket >= 0) one.buckets[bucket] = (one.buckets[bucket] ?? 0) + 1;
      },
    },
    lines: (name) =>
      series.map((labels, { buckets, count, sum }) => {
        const at = (bound: string): string => `${labels}${labels === "" ? "" : ","}le="${bound}"`;
        let below = 0;
        return [
          ...bounds.map((bound, index) =>
            line(`${name}_bucket`, at(String(bound)), (below += buckets[index] ?? 0)),
          ),
          line(`${name}_bucket`, at("+Inf"), count),
          line(`${name}_sum`, labels, sum),
          line(`${name}_count`, labels, count),
        ];
      }),
  };
}

class Series<T> {
  readonly #make: () => T;
  /** By the object first: callers keep their labels, and then nothing has to be written out. */
  readonly #byObject = new WeakMap<Labels, T>();
  readonly #byText = new Map<string, T>();

  constructor(make: () => T) {
    this.#make = make;
  }

  of(labels: Labels = NONE): T {
    const known = this.#byObject.get(labels);
    if (known !== undefined) return known;
    const text = this.#byText.size < SERIES_MAX ? textOf(labels) : this.#bounded(labels);
    let found = this.#byText.get(text);
    if (found === undefined) this.#byText.set(text, (found = this.#make()));
    this.#byObject.set(labels, found);
    return found;
  }

  map(lines: (labels: string, value: T) => string[]): string[] {
    return [...this.#byText].flatMap(([labels, value]) => lines(labels, value));
  }

  /** M3 */
  #bounded(labels: Labels): string {
    const text = textOf(labels);
    return this.#byText.has(text)
      ? text
      : textOf(Object.fromEntries(Object.keys(labels).map((name) => [name, "other"])));
  }
}

const NONE: Labels = {};

const line = (name: string, labels: string, value: number): string =>
  `${name}${labels === "" ? "" : `{${labels}}`} ${value}`;

const textOf = (labels: Labels = NONE): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(",");

const escapeHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"');
