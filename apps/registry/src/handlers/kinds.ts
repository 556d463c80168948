/**
 * Kinds are data: a call adds one. A kind that would not work is refused whole (I15), and a change is refused while
 * an entity of the head, or of a candidate that may yet become the head, would not pass it.
 */
import type { Kind as KindMessage } from "@greco/contracts/greco/model/v1/model";
import type { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { keys } from "@greco/control-kit";
import { canonicalJson, parseSpec } from "@greco/domain/model";
import { fault, type CallContext, type Handlers } from "@greco/service-kit";
import { audited } from "../audit.ts";
import { toKind } from "../cache/directory.ts";
import { describe } from "../checks/describe.ts";
import { checkKind, type KindDraft } from "../checks/kind-check.ts";
import { breaksOf } from "../checks/kind-change.ts";
import { modelOf, partsOf } from "../names.ts";
import { pageSizeOf, readToken, takePage, writeToken } from "../page-token.ts";
import type { Registry } from "../registry.ts";
import { madeBefore, remembering } from "../requests.ts";
import { put } from "../store/json.ts";
import type { KindRecord } from "../store/records.ts";
import { fromFlow, toKindMessage } from "../wire/nouns.ts";

type KindHandlers = Pick<
  Handlers<typeof RegistryService>,
  "createKind" | "updateKind" | "getKind" | "listKinds"
>;

export function kindHandlers(registry: Registry): KindHandlers {
  const { directory, store, ids, limits } = registry;

  const find = async (
    name: string,
    context: CallContext,
  ): Promise<{ model: string; record: KindRecord; revision: number }> => {
    const { model, id } = partsOf(name, "kinds");
    await directory.model(model, context.signal);
    const found = await directory.kindRecords.find(keys.kind(model, id), context.signal);
    if (found !== undefined) return { model, record: found.value, revision: found.revision };
    throw fault.notFound("KIND_NOT_FOUND", name, `${model} has no kind ${id}: see ListKinds, or create it`);
  };

  return {
    async createKind(request, context) {
      const { signal } = context;
      const model = modelOf(request.parent);
      const id = request.kindId;
      await directory.model(model, signal);
      const kind = draftOf(id, request.kind);
      const asked = { model, requestId: request.requestId, of: ["CreateKind", kind] };
      const name = `models/${model}/kinds/${id}`;
      if ((await madeBefore(registry, asked, signal)) !== undefined)
        return toKindMessage(model, (await find(name, context)).record);
      const key = keys.kind(model, id);
      const { unchanged } = await directory.freshKinds(model, signal);
      if ((await directory.kindRecords.refresh(key, signal)) !== undefined) throw kindExists(name);
      refuse(kind, [...(await directory.kindsWith(model, targets(kind), signal)).keys()]);
      if (directory.kinds(model).size >= limits.kindsMax)
        throw fault.exhausted(
          "TOO_MANY_KINDS",
          `${model} has ${limits.kindsMax} kinds, which is the limit`,
          undefined,
        );
      const record: KindRecord = { ...kind, schemaJson: canonical(kind), builtIn: false, etag: ids.next() };
      if (request.validateOnly) return toKindMessage(model, record);
      const memory = remembering(registry, asked, name);
      const { succeeded, revision } = await store.transact(
        {
          compare: [{ key, target: "createRevision", is: "=", value: 0 }, unchanged, ...memory.compare],
          then: [
            put(key, record),
            put(keys.kindSet(model), {}),
            audited(registry, context, model, { resource: name, outcome: "created" }),
            ...memory.then,
          ],
        },
        signal,
      );
      if (!succeeded) {
        if ((await madeBefore(registry, asked, signal)) !== undefined)
          return toKindMessage(model, (await find(name, context)).record);
        if ((await directory.kindRecords.refresh(key, signal)) !== undefined) throw kindExists(name);
        throw overtaken(name);
      }
      directory.kindRecords.learn(key, record, revision);
      return toKindMessage(model, record);
    },

    async updateKind(request, context) {
      const { signal } = context;
      const name = request.kind?.name ?? "";
      const { model, id } = partsOf(name, "kinds");
      const key = keys.kind(model, id);
      await directory.kindRecords.refresh(key, signal);
      const { record: before, revision } = await find(name, context);
      if (before.builtIn)
        throw fault.precondition(
          "BUILT_IN",
          `${name} is built in and cannot be changed: create a kind of your own`,
          [{ type: "BUILT_IN", subject: name, description: "shipped with every model" }],
        );
      const etag = request.kind?.etag ?? "";
      if (etag === "")
        throw fault.invalid("ETAG_REQUIRED", "kind.etag is required: read the kind and send its etag", [
          { field: "kind.etag", description: "is required: read the kind and send its etag" },
        ]);
      if (etag !== before.etag) throw overtaken(name);
      const kind = draftOf(id, request.kind);
      const { unchanged } = await directory.freshKinds(model, signal);
      refuse(kind, [...(await directory.kindsWith(model, targets(kind), signal)).keys()]);
      const record: KindRecord = { ...kind, schemaJson: canonical(kind), builtIn: false, etag: ids.next() };
      const { findings, compare } = await breaksOf(registry, model, toKind(before), toKind(record), signal);
      if (findings.length > 0)
        throw fault.precondition(
          "KIND_BREAKS_ENTITIES",
          `${findings.length} entities would not pass the changed kind ${id}: change them first, or the kind less`,
          findings.map((finding) => ({
            type: "KIND_BREAKS_ENTITIES",
            subject: `models/${model}/entities/${finding.entity ?? id}`,
            description: describe(finding),
          })),
        );
      if (request.validateOnly) return toKindMessage(model, record);
      const { succeeded, revision: written } = await store.transact(
        {
          compare: [{ key, target: "modRevision", is: "=", value: revision }, unchanged, ...compare],
          then: [
            put(key, record),
            put(keys.kindSet(model), {}),
            audited(registry, context, model, { resource: name, outcome: "updated" }),
          ],
        },
        signal,
      );
      if (!succeeded) throw overtaken(name);
      directory.kindRecords.learn(key, record, written);
      return toKindMessage(model, record);
    },

    async getKind({ name }, context) {
      const { model, record } = await find(name, context);
      return toKindMessage(model, record);
    },

    async listKinds(request, { signal }) {
      const model = modelOf(request.parent);
      await directory.model(model, signal);
      const query = { of: ["ListKinds", model], pageToken: request.pageToken };
      const { after } = readToken(query);
      const { page, more } = takePage(
        directory.kindRecords.entries(keys.kinds(model), after === "" ? "" : keys.kind(model, after)),
        pageSizeOf(request.pageSize, limits),
        limits.responseBytes,
        ([, { value }]) => JSON.stringify(value).length,
      );
      return {
        kinds: page.map(([, { value }]) => toKindMessage(model, value)),
        nextPageToken: more ? writeToken(query, { after: page.at(-1)?.[1].value.id ?? "", of: "" }) : "",
      };
    },
  };
}

function draftOf(id: string, kind: KindMessage | undefined): KindDraft {
  return {
    id,
    displayName: kind?.displayName ?? "",
    schemaJson: kind?.schemaJson ?? "",
    rules: (kind?.rules ?? []).map((rule) => ({
      id: rule.id,
      expression: rule.expression,
      message: rule.message,
    })),
    references: (kind?.references ?? []).map(({ path, kind: target, flow }) => ({
      path,
      kind: target,
      flow: fromFlow(flow),
    })),
    stream: kind?.stream ?? false,
    unclaimedAllowed: kind?.unclaimedAllowed ?? false,
  };
}

function targets({ id, references }: KindDraft): string[] {
  return references.map(({ kind }) => kind).filter((kind) => kind !== id && /^[a-z0-9-]{1,63}$/.test(kind));
}

function refuse(kind: KindDraft, known: readonly string[]): void {
  const violations = checkKind(kind, new Set(known));
  const first = violations[0];
  if (first === undefined) return;
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : "";
  throw fault.invalid("INVALID_KIND", `${first.field}: ${first.description}${more}`, violations);
}

/** It was parsed by the check. */
function canonical({ schemaJson }: KindDraft): string {
  const parsed = parseSpec(schemaJson);
  return parsed.ok ? canonicalJson(parsed.spec) : schemaJson;
}

function kindExists(name: string): Error {
  return fault.exists("KIND_EXISTS", name, `${name} exists already: take another id, or update it`);
}

function overtaken(name: string): Error {
  return fault.aborted(
    "STALE_ETAG",
    `${name}, or the model on which it was checked, has changed meanwhile: read it again and repeat the change`,
  );
}
