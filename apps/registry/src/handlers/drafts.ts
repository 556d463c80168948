/**
 * Drafts (DESIGN §3): speculative change sets, private until frozen.
 *
 * I4: no call here asks a conductor, the data plane or another user; a save costs what it changes.
 * I15: a refused call has changed nothing.
 */
import type { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { keys } from "@greco/control-kit";
import { differenceOf, finding, type Difference } from "@greco/domain/model";
import { fault, type Handlers } from "@greco/service-kit";
import { audited, subjectOf } from "../audit.ts";
import { findingsOfDraft, findingsOfEdit } from "../checks/draft-check.ts";
import { kindsNamed, parseEdit } from "../drafts/changes.ts";
import { edited, type DraftContent } from "../drafts/content.ts";
import { unchanged } from "../drafts/draft-store.ts";
import { editorsWith } from "../drafts/editors.ts";
import { etagOfDraft } from "../drafts/etag.ts";
import { modelOf, partsOf } from "../names.ts";
import { pageSizeOf, readToken, takePage, writeToken } from "../page-token.ts";
import type { Registry } from "../registry.ts";
import { madeBefore, remembering } from "../requests.ts";
import { put } from "../store/json.ts";
import type { DraftRecord } from "../store/records.ts";
import { existingDraft, noDraft, staleDraftEtag } from "../views.ts";
import { differenceBytes, findingBytes, toDifference, toFinding } from "../wire/content.ts";
import { toDraft } from "../wire/nouns.ts";

type DraftHandlers = Pick<
  Handlers<typeof RegistryService>,
  "createDraft" | "getDraft" | "listDrafts" | "editDraft" | "diffDraft" | "validateDraft" | "discardDraft"
>;

export function draftHandlers(registry: Registry): DraftHandlers {
  const { directory, drafts, store, clock, ids, limits, checkSpec } = registry;

  const recordOf = async (name: string, signal: AbortSignal) => {
    const { model, id } = partsOf(name, "drafts");
    await directory.model(model, signal);
    const record = await drafts.record(model, id, signal);
    if (record === undefined) throw noDraft(model, id);
    return { model, id, record };
  };

  return {
    async createDraft(request, context) {
      const { signal, caller } = context;
      const model = modelOf(request.parent);
      const id = request.draftId;
      await directory.model(model, signal);
      const name = `models/${model}/drafts/${id}`;
      const title = request.draft?.title ?? "";
      const asked = {
        model,
        requestId: request.requestId,
        of: ["CreateDraft", id, title, request.draft?.baseVersion],
      };
      if ((await madeBefore(registry, asked, signal)) !== undefined)
        return toDraft(model, (await recordOf(name, signal)).record.value);
      const head = await directory.freshHead(model, signal);
      const base = Number(request.draft?.baseVersion ?? 0n);
      if (base > head.value.version) {
        const description = `${model} has no version ${base}: its head is ${head.value.version}; 0 takes the head`;
        throw fault.invalid("VERSION_NOT_FOUND", `draft.base_version: ${description}`, [
          { field: "draft.base_version", description },
        ]);
      }
      const nowMs = clock.nowMs();
      const record: DraftRecord = {
        id,
        incarnation: ids.next(),
        generation: 0,
        baseVersion: base === 0 ? head.value.version : base,
        title,
        author: subjectOf(caller),
        editors: [],
        changeCount: 0,
        folded: { generation: 0 },
        approvals: [],
        createdAtMs: nowMs,
        updatedAtMs: nowMs,
      };
      const key = keys.draft(model, id);
      if (request.validateOnly) {
        if ((await drafts.record(model, id, signal)) !== undefined) throw draftExists(name);
        return toDraft(model, record);
      }
      const memory = remembering(registry, asked, name);
      const { succeeded } = await store.transact(
        {
          compare: [{ key, target: "createRevision", is: "=", value: 0 }, ...memory.compare],
          then: [
            put(key, record),
            audited(registry, context, model, { resource: name, outcome: "created" }),
            ...memory.then,
          ],
        },
        signal,
      );
      if (succeeded) return toDraft(model, record);
      if ((await madeBefore(registry, asked, signal)) === undefined) throw draftExists(name);
      return toDraft(model, (await recordOf(name, signal)).record.value);
    },

    async getDraft({ name }, { signal }) {
      const { model, record } = await recordOf(name, signal);
      return toDraft(model, record.value);
    },

    async listDrafts(request, { signal }) {
      const model = modelOf(request.parent);
      await directory.model(model, signal);
      const query = { of: ["ListDrafts", model], pageToken: request.pageToken };
      const { after } = readToken(query);
      const size = pageSizeOf(request.pageSize, limits);
      const { records, more } = await drafts.list(model, after === "" ? undefined : after, size, signal);
      return {
        drafts: records.map((record) => toDraft(model, record)),
        nextPageToken: more ? writeToken(query, { after: records.at(-1)?.id ?? "", of: "" }) : "",
      };
    },

    async editDraft(request, context) {
      const { signal, caller } = context;
      const { model, id } = partsOf(request.name, "drafts");
      await directory.model(model, signal);
      await directory.kindsWith(model, kindsNamed(request.changes), signal);
      for (let attempt = 1; attempt <= limits.attemptsMax; attempt++) {
        const { record: before, content } = await existingDraft(registry, model, id, signal);
        const etag = etagOfDraft(before.value);
        if (request.etag !== etag) throw staleDraftEtag(model, id, etag);
        const { lines, notes } = parseEdit(model, request.changes, content, content.kinds);
        const generation = before.value.generation + 1;
        const next = edited(content, lines, generation);
        const findings = findingsOfEdit(next, lines, notes, checkSpec, limits);
        const after: DraftRecord = {
          ...before.value,
          generation,
          changeCount: next.changes.size,
          editors: editorsWith(request.name, before.value, subjectOf(caller), limits.editorsMax),
          // Approved was the content as it was.
          approvals: [],
          updatedAtMs: clock.nowMs(),
        };
        const told = findings.map((each) => toFinding(model, each));
        if (request.validateOnly) return { draft: toDraft(model, after), findings: told };
        const detail = { changes: lines.length };
        const audit = audited(registry, context, model, {
          resource: request.name,
          outcome: "edited",
          detail,
        });
        const write = { model, before, after, content: next, then: [audit] };
        if (await drafts.writeEdit(write, lines, signal))
          return { draft: toDraft(model, after), findings: told };
      }
      throw staleDraftEtag(model, id, "");
    },

    async diffDraft(request, { signal }) {
      const { model, id } = partsOf(request.name, "drafts");
      await directory.model(model, signal);
      const { record, content } = await existingDraft(registry, model, id, signal);
      const etag = etagOfDraft(record.value);
      const query = { of: ["DiffDraft", model, id], pageToken: request.pageToken };
      const position = readToken(query);
      if (position.of !== "" && position.of !== etag)
        throw fault.aborted(
          "LIST_CHANGED",
          "the draft has changed since the first page: start the list again, without a page_token",
        );
      const { page, more } = takePage(
        differencesOf(content, position.after),
        pageSizeOf(request.pageSize, limits),
        limits.responseBytes,
        differenceBytes,
      );
      return {
        differences: page.map((each) => toDifference(model, each)),
        nextPageToken: more ? writeToken(query, { after: page.at(-1)?.entity ?? "", of: etag }) : "",
        etag,
      };
    },

    async validateDraft({ name }, { signal }) {
      const { model, id } = partsOf(name, "drafts");
      await directory.model(model, signal);
      const { record, content } = await existingDraft(registry, model, id, signal);
      const head = await directory.freshHead(model, signal);
      const stale = finding(
        undefined,
        "STALE_DRAFT",
        `the draft stands on version ${content.base.version}, but the head is ${head.value.version}`,
        "rebase the draft",
      );
      const findings = [
        ...(content.base.version === head.value.version ? [] : [stale]),
        ...findingsOfDraft(content, checkSpec),
      ];
      const { page, more } = takePage(findings, Number.POSITIVE_INFINITY, limits.responseBytes, findingBytes);
      return {
        findings: page.map((each) => toFinding(model, each)),
        etag: etagOfDraft(record.value),
        truncated: more,
      };
    },

    async discardDraft({ name, etag, validateOnly }, context) {
      const { signal } = context;
      if (etag === "") {
        const description = "is required: read the draft and send its etag";
        throw fault.invalid("ETAG_REQUIRED", `etag ${description}`, [{ field: "etag", description }]);
      }
      for (let attempt = 1; attempt <= limits.attemptsMax; attempt++) {
        const { model, id, record } = await recordOf(name, signal);
        const current = etagOfDraft(record.value);
        if (etag !== current) throw staleDraftEtag(model, id, current);
        if (validateOnly) return {};
        const audit = audited(registry, context, model, { resource: name, outcome: "discarded" });
        const then = [...drafts.removal(model, id), audit];
        const { succeeded } = await store.transact({ compare: [unchanged(model, record)], then }, signal);
        if (succeeded) return {};
      }
      throw fault.aborted("STALE_ETAG", `${name} keeps changing: read it again and repeat the call`);
    },
  };
}

function* differencesOf(
  { base, state, changes }: DraftContent,
  after: string,
): Generator<Difference, undefined> {
  for (const [key] of changes.after(after)) {
    const difference = differenceOf(key, base.entities.get(key), state.entities.get(key));
    if (difference !== undefined) yield difference;
  }
}

function draftExists(name: string): Error {
  return fault.exists("DRAFT_EXISTS", name, `${name} exists already: take another id, or discard it`);
}
