import { expect, it } from "vitest";
import { parseOptions, USAGE, UsageError } from "./options.ts";

it("says what its options are, and which one was meant", () => {
  expect(parseOptions(["--help"]).help).toBe(true);
  expect(parseOptions(["--once"])).toMatchObject({ help: false, once: true, rate: 700 });
  expect(USAGE).toContain("--help");
  expect(() => parseOptions(["--onse"])).toThrow(UsageError);
  expect(() => parseOptions(["--port-bsae=1"])).toThrow(
    /^there is no option --port-bsae: did you mean --port-base\?/,
  );
});
