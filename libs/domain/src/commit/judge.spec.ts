import { expect, it } from "vitest";
import type { ConductorId } from "../model/ids.ts";
import { judgeAnswer, type AnswerEnvelope } from "./judge.ts";
import type { Proposal } from "./proposal.ts";
import {
  accept,
  acceptReady,
  bindings,
  by,
  facts,
  finding,
  frozen,
  lambda,
  play,
  queued,
  ready,
  samples,
  streams,
  toReady,
  turn,
} from "./testing/samples.ts";
import type { Answer } from "./vote.ts";

const veto: Answer = { kind: "veto", findings: [finding] };
const said = (more: Partial<AnswerEnvelope> = {}): AnswerEnvelope => ({
  conductor: lambda,
  incarnation: 3,
  command: "review",
  candidate: frozen.candidate.id,
  digest: frozen.candidate.digest,
  answer: accept,
  ...more,
});
const judge = (state: Proposal, more: Partial<AnswerEnvelope> = {}, registered: number | undefined = 3) => {
  const verdict = judgeAnswer(state, registered, said(more));
  return verdict.verdict === "refused" ? verdict.reason : verdict.verdict;
};
const asked = play(queued(), turn).state;
const settledAnswer = (committed: boolean): Answer => ({ kind: "settled", committed });

it("I1: takes a voter's first answer for exactly this candidate", () => {
  expect(judge(asked)).toBe("new");
  expect(judge(asked, { answer: acceptReady })).toBe("new");
  expect(judge(asked, { answer: veto })).toBe("new");
});

it("I1: refuses who is no voter, another candidate or digest, and another incarnation", () => {
  expect(judgeAnswer(asked, undefined, said())).toMatchObject({ reason: "NOT_REGISTERED" });
  expect(judge(asked, { conductor: "tables" as ConductorId })).toBe("NOT_A_VOTER");
  expect(judge(asked, { candidate: "p0" })).toBe("OTHER_CANDIDATE");
  expect(judge(asked, { digest: "0".repeat(64) })).toBe("OTHER_DIGEST");
  expect(judge(asked, { incarnation: 2 })).toBe("OLD_INCARNATION");
  expect(judge(asked, { incarnation: 4 })).toBe("UNKNOWN_INCARNATION");
  expect(judge(queued())).toBe("NOT_ASKED");
});

it("an exact repeat is known; another answer than the first is refused", () => {
  const accepted = play(asked, by(lambda, accept)).state;
  expect(judge(accepted)).toBe("known");
  expect(judge(accepted, { answer: veto })).toBe("ANSWER_CONFLICTS");
  const readied = play(queued(), ...toReady.slice(0, 3), by(lambda, ready));
  expect(judge(readied.state, { command: "prepare", answer: ready })).toBe("known");
  expect(judge(readied.state, { command: "prepare", answer: { kind: "ready", bindings: [] } })).toBe(
    "ANSWER_CONFLICTS",
  );
  expect(judge(samples().marked, { command: "prepare", answer: { kind: "ready", bindings } })).toBe("known");
});

it("refuses an answer that does not belong to its command", () => {
  expect(judge(asked, { answer: ready })).toBe("WRONG_ANSWER");
  expect(judge(asked, { command: "settle", answer: accept })).toBe("WRONG_ANSWER");
});

it("ready before accept, from before this coordinator, is asked for again", () => {
  expect(judge(asked, { command: "prepare", answer: ready })).toBe("known");
});

it("refuses what comes behind the decision from who never answered", () => {
  expect(judge(samples().aborted)).toBe("PROPOSAL_DECIDED");
  expect(judge(samples().aborted, { answer: veto })).toBe("PROPOSAL_DECIDED");
});

it("I2: takes a confirmation of the outcome that is, once it was told", () => {
  const settle = { command: "settle", answer: settledAnswer(true) } as const;
  expect(judge(samples().committed, settle)).toBe("NOT_ASKED");
  expect(judge(samples().marked, settle)).toBe("new");
  expect(judge(samples().marked, { ...settle, answer: settledAnswer(false) })).toBe("ANSWER_CONFLICTS");
  expect(judge(samples().aborted, settle)).toBe("ANSWER_CONFLICTS");
  expect(judge(samples().settled, { ...settle, answer: settledAnswer(false) })).toBe("known");
});

it("takes the second confirmation of a confirmed commit only behind the decision", () => {
  const disarm = { command: "disarm", answer: settledAnswer(true) } as const;
  expect(judge(samples().marked, disarm)).toBe("NOT_ASKED");
  const confirmed = play(samples().marked, { type: "confirmed", by: "bob" }).state;
  expect(judge(confirmed, disarm)).toBe("new");
  expect(judge(play(confirmed, by(lambda, settledAnswer(true), "disarm")).state, disarm)).toBe("known");
});

it("says who, which and what to do", () => {
  const { message } = judgeAnswer(asked, 3, said({ conductor: "tables" as ConductorId })) as {
    message: string;
  };
  expect(message).toBe(`tables is not among the frozen voters of proposal ${facts.proposal}`);
  expect(streams).toBe("streams");
});
