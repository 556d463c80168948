/** What makes a draft ready for a freeze: it stands on the head, and a second person has approved it. */
import type { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { Resolution_Side } from "@greco/contracts/greco/registry/v1/registry";
import { keys } from "@greco/control-kit";
import {
  approvalSurvives,
  canonicalJson,
  digestOf,
  rebase,
  type Conflict,
  type Resolution,
} from "@greco/domain/model";
import { fault, type Handlers } from "@greco/service-kit";
import { audited, subjectOf } from "../audit.ts";
import { contentOf } from "../drafts/content.ts";
import { unchanged } from "../drafts/draft-store.ts";
import { editorsWith } from "../drafts/editors.ts";
import { etagOfDraft } from "../drafts/etag.ts";
import { entityOf, partsOf } from "../names.ts";
import { takePage } from "../page-token.ts";
import type { Registry } from "../registry.ts";
import { put } from "../store/json.ts";
import type { DraftRecord } from "../store/records.ts";
import { existingDraft, noDraft, staleDraftEtag } from "../views.ts";
import { resourceOf } from "../wire/content.ts";
import { toDraft } from "../wire/nouns.ts";

type ReviewHandlers = Pick<Handlers<typeof RegistryService>, "rebaseDraft" | "approveDraft">;

export function draftReviewHandlers(registry: Registry): ReviewHandlers {
  const { directory, drafts, states, store, clock, limits } = registry;
  return {
    async rebaseDraft(request, context) {
      const { signal, caller } = context;
      const { model, id } = partsOf(request.name, "drafts");
      await directory.model(model, signal);
      const resolutions = request.resolutions.map(({ entity, fieldPath, side }, index): Resolution => ({
        entity: entityOf(model, entity, `resolutions[${index}].entity`),
        fieldPath,
        side: side === Resolution_Side.DRAFT ? "draft" : "head",
      }));
      for (let attempt = 1; attempt <= limits.attemptsMax; attempt++) {
        const { record: before, content } = await existingDraft(registry, model, id, signal);
        const etag = etagOfDraft(before.value);
        if (request.etag !== etag) throw staleDraftEtag(model, id, etag);
        const head = await directory.freshHead(model, signal);
        const state = await states.at(model, head.value.version, signal);
        const kinds = directory.kinds(model);
        const { changes, conflicts, unused } = rebase(
          content.base,
          content.changes,
          state,
          kinds,
          resolutions,
        );
        if (unused.length > 0) throw unusedResolutions(unused);
        if (conflicts.length > 0)
          return {
            draft: toDraft(model, before.value),
            ...toConflicts(model, conflicts, limits.responseBytes),
          };
        if (content.base.version === state.version) return { draft: toDraft(model, before.value) };
        const generation = before.value.generation + 1;
        const next = contentOf(state, changes, kinds, { incarnation: before.value.incarnation, generation });
        // The approval is of what was seen: it holds on only if that is what will be.
        const holds = approvalSurvives(content, next, kinds);
        // Who decides between the sides, or brings about another content, has a hand in it.
        const edits = resolutions.length > 0 || digestOf(content.changes) !== digestOf(changes);
        const after: DraftRecord = {
          ...before.value,
          generation,
          baseVersion: state.version,
          editors: edits
            ? editorsWith(request.name, before.value, subjectOf(caller), limits.editorsMax)
            : before.value.editors,
          changeCount: changes.size,
          approvals: holds ? before.value.approvals : [],
          updatedAtMs: clock.nowMs(),
        };
        if (request.validateOnly) return { draft: toDraft(model, after) };
        const detail = { from: content.base.version, to: state.version };
        const audit = audited(registry, context, model, {
          resource: request.name,
          outcome: "rebased",
          detail,
        });
        const onHead = {
          key: keys.head(model),
          target: "modRevision",
          is: "=",
          value: head.revision,
        } as const;
        const write = { model, before, after, content: next, compare: [onHead], then: [audit] };
        if (await drafts.writeWhole(write, signal)) return { draft: toDraft(model, after) };
      }
      throw fault.aborted("HEAD_MOVES", `the head of ${model} keeps moving: rebase ${request.name} again`);
    },

    async approveDraft({ name, etag, validateOnly }, context) {
      const { signal, caller } = context;
      const { model, id } = partsOf(name, "drafts");
      await directory.model(model, signal);
      const subject = subjectOf(caller);
      for (let attempt = 1; attempt <= limits.attemptsMax; attempt++) {
        const before = await drafts.record(model, id, signal);
        if (before === undefined) throw noDraft(model, id);
        const current = etagOfDraft(before.value);
        if (etag !== current) throw staleDraftEtag(model, id, current);
        const { author, editors, approvals } = before.value;
        if (subject === author || editors.includes(subject))
          throw ownDraft(name, subject, subject === author);
        if (approvals.some((each) => each.subject === subject)) return toDraft(model, before.value);
        const after: DraftRecord = {
          ...before.value,
          approvals: [...approvals, { subject, timeMs: clock.nowMs() }],
        };
        if (validateOnly) return toDraft(model, after);
        const detail = { etag };
        const { succeeded } = await store.transact(
          {
            compare: [unchanged(model, before)],
            then: [
              put(keys.draft(model, id), after),
              audited(registry, context, model, { resource: name, outcome: "approved", detail }),
            ],
          },
          signal,
        );
        if (succeeded) return toDraft(model, after);
      }
      throw staleDraftEtag(model, id, "");
    },
  };
}

/** Three sides of it, in UTF-8, fit into a message. */
const SIDE_LENGTH_MAX = 300_000;

function toConflicts(model: string, conflicts: readonly Conflict[], bytesMax: number) {
  const text = (value: Conflict["base"]): string => {
    const json = value === undefined ? "" : canonicalJson(value);
    return json.length <= SIDE_LENGTH_MAX
      ? json
      : JSON.stringify(`${json.length} characters: see the entity`);
  };
  const messages = conflicts.map(({ entity, fieldPath, base, draft, head }) => ({
    entity: resourceOf(model, entity),
    fieldPath,
    baseJson: text(base),
    draftJson: text(draft),
    headJson: text(head),
  }));
  const bytesOf = (each: (typeof messages)[number]): number =>
    Object.values(each).reduce((sum, value) => sum + Buffer.byteLength(value), 64);
  const { page, more } = takePage(messages, Number.POSITIVE_INFINITY, bytesMax, bytesOf);
  return { conflicts: [...page], truncated: more };
}

function unusedResolutions(unused: readonly number[]): Error {
  const violations = unused.map((index) => ({
    field: `resolutions[${index}]`,
    description: "names no conflict of this draft with the head: rebase without it and look at the conflicts",
  }));
  return fault.invalid(
    "UNUSED_RESOLUTION",
    `${violations[0]?.field} ${violations[0]?.description}`,
    violations,
  );
}

function ownDraft(name: string, subject: string, isAuthor: boolean): Error {
  const why = isAuthor ? "is its author" : "has edited it";
  return fault.precondition(
    "OWN_DRAFT",
    `${subject} cannot approve ${name}, as ${subject} ${why}: a second person must`,
    [{ type: "OWN_DRAFT", subject: name, description: `${subject} ${why}` }],
  );
}
