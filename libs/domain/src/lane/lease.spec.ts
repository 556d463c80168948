import { describe, expect, it } from "vitest";
import { writerId } from "./entry.ts";
import {
  leaseChecked,
  leaseCreated,
  leaseHolds,
  renewalDone,
  renewalReadBack,
  renewalSent,
} from "./lease.ts";

const timing = { leaseMs: 100, marginMs: 10 };
const stored = (count: number, state: "held" | "closing" | "closed" = "held") =>
  ({ writer: writerId("w"), count, state }) as const;

describe("a writer's lease", () => {
  it("R2: holds from the sending of a renewal, less the margin, whenever the answer comes", () => {
    let lease = leaseCreated(stored(0), 0, timing);
    expect(leaseHolds(lease, 89)).toBe(true);
    expect(leaseHolds(lease, 90)).toBe(false);
    lease = renewalSent(lease, 40);
    lease = renewalDone(lease, stored(1), timing); // answered at 80, say
    expect(leaseHolds(lease, 129)).toBe(true);
    expect(leaseHolds(lease, 130)).toBe(false);
  });

  it("R2: is never renewed once it has lapsed", () => {
    expect(renewalSent(leaseCreated(stored(0), 0, timing), 95)).toMatchObject({ phase: "lost" });
  });

  it("R2: is lost when it lapses, unless a renewal that is under way may still prolong it", () => {
    const idle = leaseCreated(stored(0), 0, timing);
    expect(leaseChecked(idle, 89, timing).phase).toBe("held");
    expect(leaseChecked(idle, 90, timing).phase).toBe("lost");
    const renewing = renewalSent(idle, 80);
    expect(leaseChecked(renewing, 120, timing).phase).toBe("held");
    expect(leaseHolds(renewing, 120)).toBe(false);
    expect(leaseHolds(renewalDone(renewing, stored(1), timing), 120)).toBe(true);
    expect(leaseChecked(renewing, 170, timing).phase).toBe("lost");
  });

  it("R2: is not prolonged by a renewal whose outcome had to be read back", () => {
    const lease = renewalReadBack(renewalSent(leaseCreated(stored(0), 0, timing), 40), stored(1));
    expect(lease).toEqual({ phase: "held", count: 1, holdsUntilMs: 90 });
  });

  it("R2: is lost when somebody seals it", () => {
    const renewing = renewalSent(leaseCreated(stored(0), 0, timing), 40);
    expect(renewalReadBack(renewing, stored(0, "closing")).phase).toBe("lost");
    expect(renewalReadBack(renewing, undefined).phase).toBe("lost");
  });
});
