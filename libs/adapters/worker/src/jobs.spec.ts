import { describe, expect, it } from "vitest";
import { FairQueue, type Job, settle } from "./jobs.ts";

function jobOf(program: number, count: number): Job {
  return {
    program: { number: program } as Job["program"],
    invocations: Array.from({ length: count }) as unknown as Job["invocations"],
    outcomes: new Array(count).fill(undefined) as undefined[],
    left: count,
    cancelled: false,
    done: () => undefined,
  };
}

const whole = (job: Job) => ({ job, from: 0, to: job.invocations.length, deaths: 0 });

describe("FairQueue", () => {
  it("lets programs take turns, and keeps the order of each", () => {
    const queue = new FairQueue();
    for (const job of [jobOf(1, 5), jobOf(2, 2), jobOf(1, 1)]) queue.add(whole(job));
    const taken = Array.from({ length: 6 }, () => queue.take(2)).map(
      (piece) => piece && `${piece.job.program.number}:${piece.from}-${piece.to}`,
    );
    expect(taken).toEqual(["1:0-2", "2:0-2", "1:2-4", "1:4-5", "1:0-1", undefined]);
    expect(queue.size).toBe(0);
  });

  it("skips programs that may not run, and jobs that nobody waits for", () => {
    const queue = new FairQueue();
    const given = jobOf(2, 3);
    for (const job of [jobOf(1, 1), given, jobOf(2, 1)]) queue.add(whole(job));
    given.cancelled = true;
    expect(queue.take(9, (program) => program === 2)).toMatchObject({ to: 1 });
    expect(queue.take(9, (program) => program === 2)).toBeUndefined();
    expect(queue.size).toBe(1);
  });

  it("takes back what comes first, and gives up what waits for a program", () => {
    const queue = new FairQueue();
    const job = jobOf(1, 4);
    queue.add(whole(job));
    const first = queue.take(2);
    if (first !== undefined) queue.addFirst(first);
    expect(queue.size).toBe(4);
    expect(queue.remove(1).map(({ from, to }) => [from, to])).toEqual([
      [0, 2],
      [2, 4],
    ]);
    expect(queue.size).toBe(0);
  });
});

describe("settle", () => {
  it("counts each invocation once", () => {
    let done = 0;
    const job: Job = { ...jobOf(1, 2), done: () => (done += 1) };
    const outcome = { type: "outputs", outputs: [] } as const;
    for (const index of [0, 0, 1, 1]) settle(job, index, outcome);
    expect([job.left, done]).toEqual([0, 1]);
  });
});
