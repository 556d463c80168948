import { expect, it } from "vitest";
import { parseMutation } from "./patch.ts";

it("reads the test, its title and what the patch breaks", () => {
  const text = "# test: libs/a.spec.ts -t \"keeps 'this' dense\"\n# breaks: density\ndiff --git a/x b/x\n";
  expect(parseMutation("I7.dense.patch", text)).toEqual({
    name: "I7.dense.patch",
    testFile: "libs/a.spec.ts",
    title: "keeps 'this' dense",
    breaks: "density",
  });
});

it("runs the whole file when no title is given", () => {
  expect(parseMutation("I7.patch", "# test: libs/a.spec.ts\n# breaks: x\n").title).toBeUndefined();
});

it("refuses a patch that does not say which test must notice", () => {
  expect(() => parseMutation("I7.patch", "# breaks: x\n")).toThrow(
    'tools/mutations/I7.patch lacks a line "# test: …"',
  );
});
