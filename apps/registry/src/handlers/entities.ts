/** Entities of a state: one, a page, all as a stream. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { EntitySchema } from "@greco/contracts/greco/model/v1/model";
import type { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { parseEntityResource } from "@greco/domain/model";
import { fault, type Handlers } from "@greco/service-kit";
import { entityOf, modelOf } from "../names.ts";
import { pageSizeOf, readToken, takePage, writeToken } from "../page-token.ts";
import type { Registry } from "../registry.ts";
import { seen, type View } from "../views.ts";
import { entityBytes, toEntity } from "../wire/content.ts";

type EntityHandlers = Pick<Handlers<typeof RegistryService>, "getEntity" | "listEntities" | "snapshot">;

export function entityHandlers(registry: Registry): EntityHandlers {
  const { limits, directory, entityAnswers } = registry;
  return {
    async getEntity({ name, view }, { signal }) {
      const model = modelOf(name);
      const key = entityOf(model, name, "name");
      const { state } = await seen(registry, model, view, signal);
      const entity = state.entities.get(key);
      if (entity !== undefined) return entityAnswers.of(model, key, entity);
      const kind = parseEntityResource(name)?.kind ?? "";
      const unknown = directory.kinds(model).has(kind) ? "" : `; there is not even a kind ${kind}`;
      throw fault.notFound(
        "ENTITY_NOT_FOUND",
        name,
        `${name} does not exist in this view${unknown}: see ListEntities`,
      );
    },

    async listEntities(request, { signal }) {
      const { view, kind } = request;
      const model = modelOf(request.parent);
      const at = view?.at;
      const query = {
        of: ["ListEntities", model, kind, at?.case ?? "", at?.value ?? ""],
        pageToken: request.pageToken,
      };
      const position = readToken(query);
      // Pages of the head are all of the version that the first one saw.
      const version = at?.case === undefined ? /^v(\d+)$/.exec(position.of)?.[1] : undefined;
      const { state, name } = await seen(
        registry,
        model,
        version === undefined ? view : ofVersion(version),
        signal,
      );
      if (position.of !== "" && position.of !== name)
        throw fault.aborted(
          "LIST_CHANGED",
          "the draft has changed since the first page: start the list again, without a page_token",
        );
      const prefix = kind === "" ? "" : `${kind}/`;
      const entries = state.entities.entries(position.after === "" ? prefix : position.after);
      const { page, more } = takePage(
        within(entries, prefix, position.after),
        pageSizeOf(request.pageSize, limits),
        limits.responseBytes,
        entityBytes,
      );
      return {
        entities: page.map(([key, entity]) => toEntity(model, key, entity)),
        nextPageToken: more ? writeToken(query, { after: page.at(-1)?.[0] ?? "", of: name }) : "",
        version: BigInt(state.version),
      };
    },

    async *snapshot({ parent, view }, { signal }) {
      const model = modelOf(parent);
      const { state } = await seen(registry, model, view, signal);
      const version = BigInt(state.version);
      let entities: MessageInitShape<typeof EntitySchema>[] = [];
      let bytes = 0;
      let first = true;
      // Told of at once, however large the model is; and never more in memory than one part.
      for (const entry of state.entities.entries()) {
        const size = entityBytes(entry);
        if (bytes + size > limits.streamBytes && (entities.length > 0 || first)) {
          yield { version, entities, last: false };
          [entities, bytes, first] = [[], 0, false];
        }
        entities.push(toEntity(model, entry[0], entry[1]));
        bytes += size;
      }
      yield { version, entities, last: true };
    },
  };
}

function ofVersion(version: string): View {
  return { at: { case: "version", value: BigInt(version) }, minVersion: 0n, linearizable: false };
}

function* within<V>(
  entries: Iterable<readonly [string, V]>,
  prefix: string,
  after: string,
): Generator<readonly [string, V], undefined> {
  for (const entry of entries) {
    if (!entry[0].startsWith(prefix)) return;
    if (entry[0] !== after) yield entry;
  }
}
