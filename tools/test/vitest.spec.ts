import { expect, it } from "vitest";
import { count, type Report } from "./vitest.ts";

const report = (over: Partial<Report>): Report => ({
  numPassedTests: 3,
  numFailedTests: 0,
  testResults: [],
  ...over,
});

it("counts passed and failed tests", () => {
  expect(count(report({ numFailedTests: 2 }), 1)).toEqual({ passed: 3, failed: 2 });
});

it("counts a file that could not be loaded as one failure", () => {
  const broken = { name: "broken.spec.ts", status: "failed", assertionResults: [] };
  expect(count(report({ testResults: [broken] }), 1)).toEqual({ passed: 3, failed: 1 });
});

it("counts an error outside of every test as one failure", () => {
  expect(count(report({}), 1)).toEqual({ passed: 3, failed: 1 });
});
