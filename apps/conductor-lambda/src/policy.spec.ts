import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { OPERATIONS } from "./operations.ts";

type Policy = {
  readonly Statement: readonly {
    readonly Action: string | readonly string[];
    readonly Resource: string;
    readonly Condition?: unknown;
  }[];
};

const deploy = join(import.meta.dirname, "../../../deploy/aws");
const policyOf = (file: string): Policy => JSON.parse(readFileSync(join(deploy, file), "utf8")) as Policy;
const actionsOf = ({ Statement }: Policy): readonly string[] =>
  Statement.flatMap(({ Action }) => Action).toSorted();

it("lists exactly the actions that the conductor's operations need", () => {
  const needed = new Set(Object.values(OPERATIONS).flatMap(({ actions }): readonly string[] => actions));
  expect(actionsOf(policyOf("policy.json"))).toEqual([...needed].toSorted());
});

it("knows every command that is sent, so that none is sent beside the list", () => {
  const source = readFileSync(join(import.meta.dirname, "aws-region.ts"), "utf8");
  const sent = new Set([...source.matchAll(/new (\w+)Command\(/g)].map(([, command]) => command));
  const known = Object.values(OPERATIONS).map(({ command }) => command);
  expect([...sent].toSorted()).toEqual(known.toSorted());
});

it("names only functions and roles of the prefix, and hands roles to Lambda alone", () => {
  for (const { Action, Resource, Condition } of policyOf("policy.json").Statement) {
    if (Action === "lambda:GetAccountSettings") continue;
    expect(Resource).toMatch(/^arn:aws:(lambda:\*:\*:function|iam::\*:role)[:/]greco-\*$/);
    if (Action === "iam:PassRole") expect(JSON.stringify(Condition)).toContain("lambda.amazonaws.com");
  }
});

it("lets runtimes call versions, and look for one whose number has changed", () => {
  expect(actionsOf(policyOf("runtime-policy.json"))).toEqual([
    "lambda:InvokeFunction",
    "lambda:ListVersionsByFunction",
  ]);
});
