import { expect, it } from "vitest";
import { Line } from "./line.ts";

const member = (name: number) => ({ name });
type Member = ReturnType<typeof member>;

it("serves in the order of joining, without those who have left", () => {
  const line = new Line<Member>();
  const leave = [0, 1, 2, 3, 4].map((name) => line.join(member(name)));
  leave[0]?.();
  leave[2]?.();
  leave[2]?.();
  expect([line.size, line.first?.name]).toEqual([3, 1]);
  expect([line.shift()?.name, line.shift()?.name, line.size]).toEqual([1, 3, 1]);
  leave[1]?.();
  expect(line.size).toBe(1);
  line.join(member(5));
  expect(line.clear().map(({ name }) => name)).toEqual([4, 5]);
  expect([line.size, line.first, line.shift()]).toEqual([0, undefined, undefined]);
});

it("is what an array would be, through thousands that come, go and are served", () => {
  const line = new Line<Member>();
  const plain: Member[] = [];
  const ways = new Map<Member, () => void>();
  for (let step = 0, name = 0; step < 6_000; step++) {
    for (let join = 0; join < (step < 3_000 ? 3 : 0); join++) {
      const joined = member(name++);
      ways.set(joined, line.join(joined));
      plain.push(joined);
    }
    if (step % 5 === 0) {
      const [gone] = plain.splice((step * 7) % Math.max(plain.length, 1), 1);
      if (gone !== undefined) ways.get(gone)?.();
    } else if (line.shift() !== plain.shift()) expect.fail(`step ${step} serves another one`);
    if (line.size !== plain.length || line.first !== plain[0]) expect.fail(`step ${step} differs`);
  }
  expect(line.clear()).toEqual(plain);
});
