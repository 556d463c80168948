/**
 * The main job as a story: edit, plan, veto, make it so, publish, switch in mid-stream. Every step is
 * a call that any client can make; nothing here reaches behind the services.
 */
import { setTimeout as pause } from "node:timers/promises";
import { AbortCauseSchema, Phase, type Proposal } from "@greco/contracts/greco/commit/v1/commit";
import type { CommitService } from "@greco/contracts/greco/commit/v1/commit";
import type { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { Conductor_State } from "@greco/contracts/greco/conductor/v1/conductor";
import type { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import type { Finding } from "@greco/contracts/greco/model/v1/model";
import type { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import type { Client } from "@greco/sdk";
import type { EntityFile } from "@greco/entity-files";

export type Clients = {
  readonly registry: Client<typeof RegistryService>;
  readonly commit: Client<typeof CommitService>;
  readonly conductors: Client<typeof ConductorService>;
  readonly ingress: Client<typeof IngressService>;
};

export type Veto = {
  readonly conductor: string;
  readonly entity: string;
  readonly fieldPath: string;
  readonly column: number;
  readonly reason: string;
  readonly message: string;
  readonly remedy: string;
};

const POLL_MS = 50;
/** An edit call is at most this many entities, so that it stays below the message limit. */
const CHANGES_PER_CALL = 500;

/** Waits for a level, asking again until the signal ends it. */
export async function until<T>(ask: () => Promise<T | undefined>, signal: AbortSignal): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await pause(POLL_MS, undefined, { signal });
  }
}

export class Story {
  readonly #clients: Clients;
  readonly #model: string;

  constructor(clients: Clients, model: string) {
    this.#clients = clients;
    this.#model = model;
  }

  get parent(): string {
    return `models/${this.#model}`;
  }

  /** Makes the model and waits for the three conductors that `greco dev` runs. */
  async begin(displayName: string, conductors: number, signal: AbortSignal): Promise<void> {
    await this.#clients.registry.createModel({ modelId: this.#model, model: { displayName } }, { signal });
    await until(async () => {
      const answer = await this.#clients.conductors.listConductors({ model: this.parent }, { signal });
      const active = answer.conductors.filter((each) => each.state === Conductor_State.ACTIVE);
      return active.length >= conductors ? true : undefined;
    }, signal);
  }

  /**
   * A draft with these entities over the head; with `prune`, what the head has beside them is deleted.
   * Returns the draft's name and etag.
   */
  async draft(
    id: string,
    entities: readonly EntityFile[],
    prune: boolean,
    signal: AbortSignal,
  ): Promise<{ name: string; etag: string; findings: Finding[] }> {
    const { registry } = this.#clients;
    const draft = await registry.createDraft({ parent: this.parent, draftId: id }, { signal });
    const resource = (kind: string, name: string): string => `${this.parent}/entities/${kind}/${name}`;
    const changes: {
      entity: string;
      action: { case: "putSpecJson"; value: string } | { case: "delete"; value: boolean };
    }[] = entities.map((each) => ({
      entity: resource(each.kind, each.name),
      action: { case: "putSpecJson", value: JSON.stringify(each.spec) },
    }));
    if (prune) {
      const kept = new Set(changes.map((change) => change.entity));
      let pageToken = "";
      do {
        const page = await registry.listEntities(
          { parent: this.parent, pageSize: 1_000, pageToken },
          { signal },
        );
        for (const entity of page.entities) {
          if (!kept.has(entity.name))
            changes.push({ entity: entity.name, action: { case: "delete", value: true } });
        }
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
    }
    let etag = draft.etag;
    const findings: Finding[] = [];
    for (let at = 0; at < changes.length; at += CHANGES_PER_CALL) {
      const edited = await registry.editDraft(
        { name: draft.name, etag, changes: changes.slice(at, at + CHANGES_PER_CALL) },
        { signal },
      );
      etag = edited.draft?.etag ?? etag;
      findings.push(...edited.findings);
    }
    return { name: draft.name, etag, findings };
  }

  /** Every conductor's opinion, with no effect: the vetoes, none if it is acceptable. */
  async plan(draft: string, etag: string, signal: AbortSignal): Promise<{ vetoes: Veto[]; steps: string[] }> {
    const vetoes: Veto[] = [];
    const steps: string[] = [];
    for await (const { part } of this.#clients.commit.plan({ draft, etag }, { signal })) {
      if (part.case === "conductor") {
        vetoes.push(...part.value.findings.map((finding) => toVeto(part.value.conductor, finding)));
        for (const step of part.value.plan?.steps ?? [])
          steps.push(`${part.value.conductor.replace("conductors/", "")}: ${step.object}`);
      } else if (part.case === "summary") {
        vetoes.push(...part.value.findings.map((finding) => toVeto("coordinator", finding)));
      }
    }
    return { vetoes, steps };
  }

  /** Makes the draft so and waits until it is marked, or aborted. */
  async makeItSo(draft: string, etag: string, reason: string, signal: AbortSignal): Promise<Proposal> {
    const proposal = await this.#clients.commit.makeItSo({ draft, etag, reason }, { signal });
    return this.outcome(proposal.name, signal);
  }

  async outcome(name: string, signal: AbortSignal): Promise<Proposal> {
    for await (const { proposal } of this.#clients.commit.watchProposal({ name }, { signal })) {
      if (proposal === undefined) continue;
      if (
        proposal.phase === Phase.MARKED ||
        proposal.phase === Phase.SETTLED ||
        proposal.phase === Phase.ABORTED
      )
        return proposal;
    }
    throw new Error(`the watch of ${name} ended before the proposal was decided`);
  }
}

function toVeto(conductor: string, finding: Finding): Veto {
  const { entity, fieldPath, column, reason, message, remedy } = finding;
  return {
    conductor: conductor.replace("conductors/", ""),
    entity: entity.replace(/^models\/[^/]+\/entities\//, ""),
    fieldPath,
    column,
    reason,
    message,
    remedy,
  };
}

export function vetoesOf(proposal: Proposal): Veto[] {
  return proposal.voters.flatMap((voter) =>
    voter.findings.map((finding) => toVeto(voter.conductor, finding)),
  );
}

/** Says why a proposal that should have been committed was not. */
export function committedVersion(proposal: Proposal): number {
  if (proposal.version > 0n) return Number(proposal.version);
  const why = vetoesOf(proposal).map(
    (veto) => `${veto.conductor}: ${veto.entity} ${veto.fieldPath}: ${veto.message}`,
  );
  throw new Error(
    `not committed (${AbortCauseSchema.value[proposal.abortCause]?.localName}): ${[proposal.message, ...why].filter(Boolean).join("; ")}`,
  );
}
