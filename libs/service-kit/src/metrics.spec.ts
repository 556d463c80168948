import { expect, it } from "vitest";
import { createLog } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import { serveMetrics } from "./metrics-server.ts";

function open() {
  const events: string[] = [];
  const write = (line: string) => void events.push((JSON.parse(line) as { event: string }).event);
  return { metrics: createMetrics(createLog({ service: "test", write })), events };
}

it("writes counters, histograms and states in Prometheus' text format", async () => {
  const { metrics } = open();
  const calls = metrics.counter("greco_calls_total", "calls answered");
  calls.add(1, { method: "a/B", code: "OK" });
  calls.add(2, { method: "a/B", code: "OK" });
  calls.add(1, { method: 'x"\\\n', code: "OK" });
  const seconds = metrics.histogram("greco_call_seconds", "how long", [0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 7]) seconds.record(value);
  metrics.state("greco_lanes", "lanes open\nnow", () => [{ value: 3 }]);
  metrics.state("greco_inputs_total", "inputs handled", () =>
    Promise.resolve([{ value: 4, labels: { model: "m" } }]),
  );
  expect(await metrics.text()).toBe(`# HELP greco_calls_total calls answered
# TYPE greco_calls_total counter
greco_calls_total{method="a/B",code="OK"} 3
greco_calls_total{method="x\\"\\\\\\n",code="OK"} 1
# HELP greco_call_seconds how long
# TYPE greco_call_seconds histogram
greco_call_seconds_bucket{le="0.1"} 2
greco_call_seconds_bucket{le="1"} 3
greco_call_seconds_bucket{le="+Inf"} 4
greco_call_seconds_sum 7.65
greco_call_seconds_count 4
# HELP greco_lanes lanes open\\nnow
# TYPE greco_lanes gauge
greco_lanes 3
# HELP greco_inputs_total inputs handled
# TYPE greco_inputs_total counter
greco_inputs_total{model="m"} 4
`);
});

it("shows of a state what is there now, nothing of what is gone", async () => {
  const { metrics } = open();
  let lanes = ["a", "b"];
  const end = metrics.state("greco_lag", "lag", () => lanes.map((lane) => ({ value: 1, labels: { lane } })));
  expect(await metrics.text()).toContain('lane="a"');
  lanes = ["b"];
  expect(await metrics.text()).not.toContain('lane="a"');
  end();
  expect(await metrics.text()).toBe("");
});

it("leaves out a state that cannot be read, and says so", async () => {
  const { metrics, events } = open();
  metrics.state("greco_lag", "lag", () => Promise.reject(new Error("the store is down")));
  metrics.state("greco_lanes", "lanes", () => [{ value: 1 }]);
  expect(await metrics.text()).toContain("greco_lanes 1");
  expect(events).toEqual(["metrics.unread"]);
});

it("gives one name one meaning", () => {
  const { metrics } = open();
  expect(metrics.counter("greco_a_total", "a")).toBe(metrics.counter("greco_a_total", "a"));
  expect(() => metrics.counter("greco_a_total", "b")).toThrow("is taken");
  expect(() => metrics.histogram("greco_a_total", "a", [1])).toThrow("is taken");
  expect(() => metrics.counter("a", "a")).toThrow("no name");
});

it("bounds the series of a counter, and loses no count", async () => {
  const { metrics } = open();
  const calls = metrics.counter("greco_calls_total", "calls");
  for (let each = 0; each < 3_000; each += 1) calls.add(1, { method: `m${each}` });
  const lines = (await metrics.text()).trim().split("\n").slice(2);
  expect(lines.length).toBe(2_001);
  expect(lines.at(-1)).toBe('greco_calls_total{method="other"} 1000');
});

it("serves them over HTTP, and nothing else", async () => {
  const { metrics } = open();
  metrics.counter("greco_a_total", "a").add(5);
  await using server = await serveMetrics(metrics, { host: "127.0.0.1", port: 0 });
  const answer = await fetch(server.address);
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4");
  expect(await answer.text()).toContain("greco_a_total 5");
  expect((await fetch(new URL("/", server.address))).status).toBe(404);
  expect((await fetch(server.address, { method: "POST" })).status).toBe(404);
});
