import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  AbortCause,
  Confirmation_State,
  Phase,
  type Proposal,
  ProposalSchema,
  VoterStatus_Vote,
} from "@greco/contracts/greco/commit/v1/commit";
import { describe, expect, it } from "vitest";
import { createProgress } from "./follow.ts";
import { Output } from "./output.ts";
import {
  confirmationText,
  findingsText,
  hasCommitted,
  isInEffect,
  phaseText,
  progressOf,
} from "./proposal-view.ts";
import { TestSink } from "./testing/sink.ts";

const { ACCEPT, VETO, FAILED } = VoterStatus_Vote;

const proposal = (init: MessageInitShape<typeof ProposalSchema>): Proposal =>
  create(ProposalSchema, { name: "models/m/proposals/p", ...init });

const finding = {
  entity: "models/m/entities/query/late",
  fieldPath: "select.euros",
  column: 7,
  reason: "UNKNOWN_FIELD",
  message: 'event has no field "delai"',
  remedy: "did you mean delay?",
};
const voters = [
  { conductor: "conductors/streams", vote: ACCEPT, ready: true },
  { conductor: "conductors/worker" },
];

describe("a proposal in words", () => {
  it("names its phase, and how it ended", () => {
    const texts = [
      { phase: Phase.QUEUED, queuePosition: 2 },
      { phase: Phase.PROPOSED },
      { phase: Phase.COMMITTED, version: 3n },
      { phase: Phase.SETTLED, committed: true, version: 3n },
      { phase: Phase.ABORTED, abortCause: AbortCause.VETOED },
      { phase: Phase.SETTLED, abortCause: AbortCause.EXPIRED },
    ].map((init) => phaseText(proposal(init)));
    expect(texts).toEqual([
      "queued (2 before it)",
      "proposed",
      "committed as version 3",
      "settled as version 3",
      "aborted (vetoed)",
      "aborted (expired), settled",
    ]);
  });

  it("shows what is waited for, conductor by conductor", () => {
    const lines = (init: MessageInitShape<typeof ProposalSchema>): string[] =>
      progressOf(proposal(init)).map(({ mark, text }) => `${mark} ${text}`);
    expect(lines({ phase: Phase.PROPOSED, voters })).toEqual([
      "open p  proposed",
      "good streams  accepts, ready",
      "open worker   reviews …",
    ]);
    expect(
      lines({
        phase: Phase.ACCEPTED,
        voters: [{ conductor: "conductors/worker", vote: ACCEPT }],
      }),
    ).toEqual(["open p  accepted", "open worker  accepts, prepares …"]);
    expect(
      lines({
        phase: Phase.SETTLED,
        abortCause: AbortCause.FAILED,
        voters: [
          { conductor: "conductors/a", vote: FAILED, settled: true },
          { conductor: "conductors/b" },
          { conductor: "conductors/c", excused: true },
        ],
      }),
    ).toEqual([
      "bad p  aborted (failed), settled",
      "bad a  could not prepare, settled",
      "open b  no answer",
      "good c  excused: it was deregistered",
    ]);
  });

  it("names conductor, entity, field, column, reason and remedy of each finding", () => {
    const vetoed = proposal({
      voters: [{ conductor: "conductors/worker", vote: VETO, findings: [finding] }],
    });
    expect(findingsText(vetoed)).toEqual([
      'worker: query/late select.euros, column 7: event has no field "delai" [UNKNOWN_FIELD]',
      "  → did you mean delay?",
    ]);
  });

  it("says how a confirmation stands", () => {
    const text = (init: MessageInitShape<typeof ProposalSchema>["confirmation"]): string =>
      confirmationText(proposal(init === undefined ? {} : { confirmation: init }));
    expect(text(undefined)).toBe("");
    expect(text({ state: Confirmation_State.ARMED, remaining: { seconds: 90n } })).toBe(
      "armed, 1m30s left to confirm",
    );
    expect(text({ state: Confirmation_State.CONFIRMED, confirmedBy: "eve" })).toBe("confirmed by eve");
    expect(text({ state: Confirmation_State.REVERTED, revertProposal: "models/m/proposals/r" })).toBe(
      "reverted, by proposal r",
    );
  });

  it("is in effect with its markers, and then it has committed", () => {
    expect([Phase.PROPOSED, Phase.COMMITTED].map((phase) => isInEffect(proposal({ phase })))).toEqual([
      false,
      false,
    ]);
    expect([Phase.MARKED, Phase.ABORTED].map((phase) => isInEffect(proposal({ phase })))).toEqual([
      true,
      true,
    ]);
    expect(hasCommitted(proposal({ version: 1n }))).toBe(true);
    expect(hasCommitted(proposal({ phase: Phase.ABORTED }))).toBe(false);
  });
});

describe("progress", () => {
  const news = (columns?: number): string => {
    const err = new TestSink(columns);
    const { show, interrupted } = createProgress(new Output("table", false, new TestSink(columns), err));
    show(proposal({ phase: Phase.PROPOSED, voters }));
    interrupted(new Error("away"));
    interrupted(new Error("away"));
    show(proposal({ phase: Phase.PROPOSED, voters }));
    show(
      proposal({
        phase: Phase.MARKED,
        version: 1n,
        voters: voters.map((each) => ({ ...each, vote: ACCEPT, ready: true })),
      }),
    );
    return err.text;
  };
  it("is a line for each news where nobody looks", () => {
    expect(news()).toBe(
      [
        "· p  proposed",
        "  ✓ streams  accepts, ready",
        "  · worker   reviews …",
        "away; still trying",
        "✓ p  marked as version 1",
        "  ✓ worker   accepts, ready",
        "",
      ].join("\n"),
    );
  });
  it("is drawn in place on a terminal, below what was said in between", () => {
    expect(news(80)).toBe(
      [
        "· p  proposed",
        "  ✓ streams  accepts, ready",
        "  · worker   reviews …",
        "away; still trying",
        "· p  proposed",
        "  ✓ streams  accepts, ready",
        "  · worker   reviews …",
        "\u001b[3A\u001b[J✓ p  marked as version 1",
        "  ✓ streams  accepts, ready",
        "  ✓ worker   accepts, ready",
        "",
      ].join("\n"),
    );
  });
});
