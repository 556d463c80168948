/** `greco plan | make-it-so | proposal … | confirm | rollback | history | audit`. */
import type { Command } from "commander";
import {
  PlanStep_Action,
  PlanStep_RiskSchema,
  type PlanSummary,
  PlanResponseSchema,
  Phase,
  type Proposal,
  ProposalSchema,
  type VoterStatus,
} from "@greco/contracts/greco/commit/v1/commit";
import { AuditRecordSchema, type Finding, VersionSchema } from "@greco/contracts/greco/model/v1/model";
import { CliError, EXIT } from "../cli-error.ts";
import { parseDuration } from "../connection.ts";
import type { Context, Runner } from "../context.ts";
import {
  durationText,
  PAGE_SIZE,
  pages,
  parseInteger,
  resourceOf,
  shortName,
  timeText,
  toDuration,
} from "../names.ts";
import { plain } from "../output.ts";
import {
  confirmationText,
  findingLines,
  hasCommitted,
  isInEffect,
  phaseText,
  progressLines,
  voterText,
} from "../proposal-view.ts";
import { getDraft, showDifference, showFindings } from "./draft.ts";

const proposalFacts = (proposal: Proposal): (readonly [string, string])[] => [
  ["proposal", shortName(proposal.name)],
  ["phase", phaseText(proposal)],
  ["why", proposal.message],
  ["draft", shortName(proposal.draft)],
  ["base", `version ${proposal.baseVersion}`],
  ["by", proposal.actor],
  ["reason", proposal.reason],
  ["confirmation", confirmationText(proposal)],
  [
    "conductors",
    proposal.voters.map((voter) => `${shortName(voter.conductor)}: ${voterText(voter)}`).join("\n"),
  ],
  ["findings", findingLines(proposal).join("\n")],
  ["in lanes of", proposal.scope.join("\n")],
];

const showProposal = (context: Context, proposal: Proposal): void =>
  context.output.one(proposal, proposalFacts, (each) => plain(ProposalSchema, each));

/** Follows the proposal until `done`; redraws on a terminal, a line a change elsewhere. */
async function follow(
  context: Context,
  name: string,
  done: (proposal: Proposal) => boolean,
): Promise<Proposal> {
  const { commit } = await context.clients();
  let drawn = 0;
  let said = "";
  for await (const { proposal } of commit.watchProposal(
    { name },
    { signal: context.signal, timeoutMs: FOLLOW_MS },
  )) {
    if (proposal === undefined) continue;
    const lines = progressLines(proposal);
    if (context.output.live) {
      context.output.redraw(drawn, lines);
      drawn = lines.length;
    } else if (phaseText(proposal) !== said) {
      said = phaseText(proposal);
      context.output.note(`${shortName(proposal.name)}  ${said}`);
    }
    if (done(proposal)) return proposal;
  }
  throw new CliError(`the watch of ${name} ended early`, `greco proposal get ${shortName(name)}`);
}

const FOLLOW_MS = 24 * 60 * 60_000;

async function finish(context: Context, started: Proposal, wait: boolean): Promise<void> {
  if (!wait) {
    showProposal(context, started);
    context.output.note(`follow it: greco proposal watch ${shortName(started.name)}`);
    return;
  }
  const ended = await follow(context, started.name, isInEffect);
  showProposal(context, ended);
  if (!hasCommitted(ended)) context.exit(EXIT.failed);
  else if (ended.confirmation !== undefined && confirmationText(ended).startsWith("armed")) {
    context.output.note(`it reverts by itself unless confirmed: greco confirm ${shortName(ended.name)}`);
  }
}

function showVoter(context: Context, voter: VoterStatus): void {
  const { output } = context;
  const vetoed = voter.findings.length > 0;
  output.raw(
    `${output.paint(vetoed ? "31" : "32", vetoed ? "✗" : "✓")} ${shortName(voter.conductor)}: ${voterText(voter)}\n`,
  );
  for (const step of voter.plan?.steps ?? []) {
    const sign =
      step.action === PlanStep_Action.CREATE ? "+" : step.action === PlanStep_Action.DELETE ? "-" : "~";
    const risk = (PlanStep_RiskSchema.value[step.risk]?.localName ?? "").toLowerCase();
    output.raw(
      `    ${sign} ${step.object}${risk === "" || risk === "unspecified" ? "" : ` (${risk} risk)`}${step.note === "" ? "" : `: ${step.note}`}\n`,
    );
  }
  const time = durationText(voter.plan?.prepareTime);
  if (time !== "" && time !== "0s") output.raw(`    ready in ${time}\n`);
  if (voter.plan !== undefined && voter.plan.cost !== "") output.raw(`    costs ${voter.plan.cost}\n`);
  for (const finding of voter.findings) showFinding(context, finding);
}

function showFinding(context: Context, finding: Finding): void {
  const column = finding.column > 0 ? `, column ${finding.column}` : "";
  context.output.raw(`    ${shortName(finding.entity)} ${finding.fieldPath}${column}: ${finding.message}\n`);
  if (finding.remedy !== "") context.output.raw(`      ${finding.remedy}\n`);
}

function showSummary(context: Context, summary: PlanSummary): void {
  for (const finding of summary.findings) showFinding(context, finding);
  for (const conductor of summary.silent)
    context.output.raw(`? ${shortName(conductor)}: no answer in time\n`);
  context.output.raw(
    summary.acceptable ? "All conductors would accept it.\n" : "It would not be committed as it is.\n",
  );
}

export function addCommitCommands(program: Command, { run }: Runner): void {
  program
    .command("plan <draft>")
    .description(
      "every conductor's review of the draft, with no effect; exit code 2: it has changes, 1: it would be refused",
    )
    .action(
      run<[string], unknown>(async (context, _options, name) => {
        const draft = await getDraft(context, name);
        const { commit } = await context.clients();
        const table = context.output.format === "table";
        let acceptable = false;
        for await (const response of commit.plan(
          { draft: draft.name, etag: draft.etag },
          { signal: context.signal },
        )) {
          const { part } = response;
          if (part.case === "summary") acceptable = part.value.acceptable;
          if (!table) {
            context.output.raw(`${JSON.stringify(plain(PlanResponseSchema, response))}\n`);
            continue;
          }
          if (part.case === "header") {
            context.output.raw(
              `${part.value.changeCount} changes over version ${part.value.baseVersion}; markers in lanes of ${part.value.scope.join(", ")}\n`,
            );
            showFindings(context, part.value.findings, "findings:");
          } else if (part.case === "difference") showDifference(context, part.value);
          else if (part.case === "conductor") showVoter(context, part.value);
          else if (part.case === "summary") showSummary(context, part.value);
        }
        context.exit(acceptable ? (draft.changeCount > 0n ? EXIT.differs : EXIT.ok) : EXIT.failed);
      }),
    );
  program
    .command("make-it-so <draft>")
    .description("commits the draft: conductors review and prepare, one transaction decides, markers follow")
    .option("--reason <text>", "why; it stands in the history", "")
    .option("--confirm-within <time>", "revert by itself unless confirmed within this time, as 10m")
    .option("--wait", "until it is in effect or aborted")
    .action(
      run<[string], { reason: string; confirmWithin?: string; wait?: boolean }>(
        async (context, options, name) => {
          const draft = await getDraft(context, name);
          const { commit } = await context.clients();
          const confirm =
            options.confirmWithin === undefined
              ? {}
              : { confirmWithin: toDuration(parseDuration(options.confirmWithin, "--confirm-within")) };
          const started = await commit.makeItSo(
            { draft: draft.name, etag: draft.etag, reason: options.reason, ...confirm },
            { signal: context.signal },
          );
          await finish(context, started, options.wait === true);
        },
      ),
    );
  program
    .command("rollback <version>")
    .description("a new version with the content of an older one")
    .option("--reason <text>", "why", "")
    .option("--confirm-within <time>")
    .option("--wait", "until it is in effect or aborted")
    .action(
      run<[string], { reason: string; confirmWithin?: string; wait?: boolean }>(
        async (context, options, version) => {
          const { commit } = await context.clients();
          const confirm =
            options.confirmWithin === undefined
              ? {}
              : { confirmWithin: toDuration(parseDuration(options.confirmWithin, "--confirm-within")) };
          const started = await commit.rollback(
            {
              model: context.parent(),
              toVersion: BigInt(parseInteger(version, "version")),
              reason: options.reason,
              ...confirm,
            },
            { signal: context.signal },
          );
          await finish(context, started, options.wait === true);
        },
      ),
    );
  program
    .command("confirm <proposal>")
    .description("keeps a commit that was made with --confirm-within")
    .action(
      run<[string], unknown>(async (context, _options, name) => {
        const { commit } = await context.clients();
        showProposal(
          context,
          await commit.confirmProposal(
            { name: resourceOf(context.parent(), "proposals", name) },
            { signal: context.signal },
          ),
        );
      }),
    );
  addProposalCommands(program, { run });
  addHistoryCommands(program, { run });
}

function addProposalCommands(program: Command, { run }: Runner): void {
  const proposal = program
    .command("proposal")
    .description("runs of the commit protocol: get, list, watch, withdraw");
  proposal.command("get <proposal>").action(
    run<[string], unknown>(async (context, _options, name) => {
      const { commit } = await context.clients();
      showProposal(
        context,
        await commit.getProposal(
          { name: resourceOf(context.parent(), "proposals", name) },
          { signal: context.signal },
        ),
      );
    }),
  );
  proposal
    .command("list")
    .option("--limit <n>", "at most so many, newest first", "50")
    .action(
      run<[], { limit: string }>(async (context, { limit }) => {
        const { commit } = await context.clients();
        const proposals = await pages(
          async (pageToken) => {
            const page = await commit.listProposals(
              { parent: context.parent(), pageSize: PAGE_SIZE, pageToken },
              { signal: context.signal },
            );
            return { items: page.proposals, next: page.nextPageToken };
          },
          parseInteger(limit, "--limit"),
        );
        context.output.list(
          proposals,
          [
            { title: "proposal", value: (each) => shortName(each.name) },
            { title: "phase", value: phaseText },
            { title: "by", value: (each) => each.actor },
            { title: "when", value: (each) => timeText(each.createTime) },
            { title: "reason", value: (each) => each.reason },
          ],
          (each) => plain(ProposalSchema, each),
          "no proposals yet",
        );
      }),
    );
  proposal
    .command("watch <proposal>")
    .description("until it is settled")
    .action(
      run<[string], unknown>(async (context, _options, name) => {
        showProposal(
          context,
          await follow(
            context,
            resourceOf(context.parent(), "proposals", name),
            (each) => each.phase === Phase.SETTLED,
          ),
        );
      }),
    );
  proposal
    .command("withdraw <proposal>")
    .option("--reason <text>", "why", "")
    .action(
      run<[string], { reason: string }>(async (context, { reason }, name) => {
        const { commit } = await context.clients();
        showProposal(
          context,
          await commit.withdrawProposal(
            { name: resourceOf(context.parent(), "proposals", name), reason },
            { signal: context.signal },
          ),
        );
      }),
    );
}

function addHistoryCommands(program: Command, { run }: Runner): void {
  program
    .command("history")
    .description("versions, newest first: who, when, why")
    .option("--limit <n>", "at most so many", "50")
    .action(
      run<[], { limit: string }>(async (context, { limit }) => {
        const { registry } = await context.clients();
        const versions = await pages(
          async (pageToken) => {
            const page = await registry.listVersions(
              { parent: context.parent(), pageSize: PAGE_SIZE, pageToken },
              { signal: context.signal },
            );
            return { items: page.versions, next: page.nextPageToken };
          },
          parseInteger(limit, "--limit"),
        );
        context.output.list(
          versions,
          [
            { title: "version", value: (each) => String(each.number), right: true },
            { title: "when", value: (each) => timeText(each.commitTime) },
            { title: "author", value: (each) => each.author },
            { title: "releaser", value: (each) => each.releaser },
            { title: "changes", value: (each) => String(each.changeCount), right: true },
            {
              title: "reason",
              value: (each) =>
                each.restoresVersion > 0n
                  ? `content of version ${each.restoresVersion}; ${each.reason}`
                  : each.reason,
            },
          ],
          (each) => plain(VersionSchema, each),
          "nothing is committed yet",
        );
      }),
    );
  program
    .command("audit")
    .description("who did what, when and why; never rewritten")
    .option("--limit <n>", "at most so many", "100")
    .action(
      run<[], { limit: string }>(async (context, { limit }) => {
        const { registry } = await context.clients();
        const records = await pages(
          async (pageToken) => {
            const page = await registry.listAuditRecords(
              { parent: context.parent(), pageSize: PAGE_SIZE, pageToken },
              { signal: context.signal },
            );
            return { items: page.auditRecords, next: page.nextPageToken };
          },
          parseInteger(limit, "--limit"),
        );
        context.output.list(
          records,
          [
            { title: "when", value: (each) => timeText(each.time) },
            { title: "who", value: (each) => each.actor },
            { title: "what", value: (each) => each.method.replace(/^.*\//, "") },
            { title: "on", value: (each) => shortName(each.resource) },
            { title: "outcome", value: (each) => each.outcome },
            { title: "reason", value: (each) => each.reason },
          ],
          (each) => plain(AuditRecordSchema, each),
          "no records yet",
        );
      }),
    );
}
