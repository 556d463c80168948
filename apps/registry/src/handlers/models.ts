/** Models: made with the built-in kinds and an admin, listed to who may see them, watched. */
import type { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { VoterPolicy } from "@greco/contracts/greco/model/v1/model";
import { keys } from "@greco/control-kit";
import { BUILT_IN_KINDS, canonicalJson, type Kind } from "@greco/domain/model";
import type { Operation } from "@greco/ports";
import { fault, type Caller, type Handlers } from "@greco/service-kit";
import { audited, subjectOf } from "../audit.ts";
import { modelOf } from "../names.ts";
import { pageSizeOf, readToken, takePage, writeToken } from "../page-token.ts";
import type { Registry } from "../registry.ts";
import { madeBefore, remembering } from "../requests.ts";
import { put } from "../store/json.ts";
import type { HeadRecord, KindRecord, ModelRecord, RoleRecord } from "../store/records.ts";
import { toModel } from "../wire/nouns.ts";
import { watchModel } from "./watch-model.ts";

type ModelHandlers = Pick<
  Handlers<typeof RegistryService>,
  "createModel" | "getModel" | "listModels" | "updateModel" | "watchModel"
>;

export function modelHandlers(registry: Registry): ModelHandlers {
  const { directory, store, clock, ids, limits } = registry;

  const current = async (model: string, signal: AbortSignal) => {
    const [record, head] = await Promise.all([directory.model(model, signal), directory.head(model, signal)]);
    return toModel(record.value, head.value.version);
  };

  return {
    async createModel(request, context) {
      const { signal, caller } = context;
      const model = request.modelId;
      if (caller.service !== undefined)
        throw fault.denied("a person's token", "a model is made by a person, who becomes its admin");
      const { requestId, validateOnly } = request;
      const of = [
        "CreateModel",
        caller.subject,
        request.model?.displayName,
        request.model?.voters,
        request.model?.approvalRequired,
      ];
      const asked = { model, requestId, of };
      if ((await madeBefore(registry, asked, signal)) !== undefined) return await current(model, signal);
      const nowMs = clock.nowMs();
      const record: ModelRecord = {
        id: model,
        displayName: request.model?.displayName ?? "",
        voters: policyOf(request.model?.voters),
        approvalRequired: request.model?.approvalRequired ?? false,
        creator: caller.subject,
        etag: ids.next(),
        createdAtMs: nowMs,
        updatedAtMs: nowMs,
      };
      const head: HeadRecord = { version: 0, candidate: "", totalChanges: 0 };
      const admin: RoleRecord = { role: "admin", etag: ids.next() };
      const key = keys.model(model);
      if (validateOnly) {
        if ((await directory.models.refresh(key, signal)) !== undefined) throw modelExists(model);
        return toModel(record, 0);
      }
      const kinds = BUILT_IN_KINDS.map((kind) => builtInRecord(kind, ids.next()));
      const memory = remembering(registry, asked, `models/${model}`);
      const puts: Operation[] = [
        put(key, record),
        put(keys.head(model), head),
        put(keys.kindSet(model), {}),
        ...kinds.map((kind) => put(keys.kind(model, kind.id), kind)),
        put(keys.roleBinding(model, caller.subject), admin),
        audited(registry, context, model, { resource: `models/${model}`, outcome: "created" }),
      ];
      const { succeeded, revision } = await store.transact(
        {
          compare: [{ key, target: "createRevision", is: "=", value: 0 }, ...memory.compare],
          then: [...puts, ...memory.then],
        },
        signal,
      );
      if (!succeeded) {
        // A repeat that came at the same time has won.
        if ((await madeBefore(registry, asked, signal)) !== undefined) return await current(model, signal);
        throw modelExists(model);
      }
      directory.models.learn(key, record, revision);
      directory.heads.learn(keys.head(model), head, revision);
      for (const kind of kinds) directory.kindRecords.learn(keys.kind(model, kind.id), kind, revision);
      directory.roles.learn(keys.roleBinding(model, caller.subject), admin, revision);
      return toModel(record, 0);
    },

    async getModel(request, { signal }) {
      return await current(modelOf(request.name), signal);
    },

    listModels(request, { caller }) {
      const query = { of: ["ListModels"], pageToken: request.pageToken };
      const position = readToken(query);
      const after = position.after === "" ? "" : keys.model(position.after);
      const { page, more } = takePage(
        visible(registry, caller, after),
        pageSizeOf(request.pageSize, limits),
        limits.responseBytes,
        () => 512,
      );
      const nextPageToken = more ? writeToken(query, { after: page.at(-1)?.id ?? "", of: "" }) : "";
      const models = page.map((record) =>
        toModel(record, directory.heads.get(keys.head(record.id))?.value.version ?? 0),
      );
      return Promise.resolve({ models, nextPageToken });
    },

    async updateModel(request, context) {
      const { signal } = context;
      const wanted = request.model;
      const model = modelOf(wanted?.name ?? "");
      await directory.model(model, signal);
      const key = keys.model(model);
      const before = await directory.models.refresh(key, signal);
      if (before === undefined || wanted === undefined) return await current(model, signal);
      if (wanted.etag === "")
        throw fault.invalid("ETAG_REQUIRED", "model.etag is required: read the model and send its etag", [
          { field: "model.etag", description: "is required: read the model and send its etag" },
        ]);
      if (wanted.etag !== before.value.etag) throw staleModel(model);
      const record: ModelRecord = {
        ...before.value,
        displayName: wanted.displayName,
        voters: policyOf(wanted.voters),
        approvalRequired: wanted.approvalRequired,
        etag: ids.next(),
        updatedAtMs: clock.nowMs(),
      };
      const { value: head } = await directory.head(model, signal);
      if (request.validateOnly) return toModel(record, head.version);
      const detail = { approvalRequired: record.approvalRequired, voters: record.voters };
      const { succeeded, revision } = await store.transact(
        {
          compare: [{ key, target: "modRevision", is: "=", value: before.revision }],
          then: [
            put(key, record),
            audited(registry, context, model, { resource: `models/${model}`, outcome: "updated", detail }),
          ],
        },
        signal,
      );
      if (!succeeded) throw staleModel(model);
      directory.models.learn(key, record, revision);
      return toModel(record, head.version);
    },

    watchModel: (request, context) => watchModel(registry, request, context),
  };
}

/** Models that the caller may view, behind `after`. */
function* visible({ directory }: Registry, caller: Caller, after: string): Generator<ModelRecord, undefined> {
  for (const [, { value }] of directory.models.entries(keys.models(), after)) {
    const mayView =
      caller.service !== undefined ||
      directory.roles.get(keys.roleBinding(value.id, subjectOf(caller))) !== undefined;
    if (mayView) yield value;
  }
}

function builtInRecord(kind: Kind, etag: string): KindRecord {
  const { schema, ...rest } = kind;
  return { ...rest, schemaJson: canonicalJson(schema), etag };
}

function policyOf(policy: VoterPolicy | undefined): ModelRecord["voters"] {
  return policy === VoterPolicy.AFFECTED ? "affected" : "all";
}

function modelExists(model: string): Error {
  return fault.exists(
    "MODEL_EXISTS",
    `models/${model}`,
    `there is a model ${model} already: take another id`,
  );
}

function staleModel(model: string): Error {
  return fault.aborted(
    "STALE_ETAG",
    `models/${model} has changed since its etag was read: read it again and repeat the change`,
  );
}
