/** History: versions, what differs between two, and the audit log. */
import type { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { type Audit, keys } from "@greco/control-kit";
import { differences } from "@greco/domain/model";
import { fault, type Handlers } from "@greco/service-kit";
import { modelOf, partsOf } from "../names.ts";
import { pageSizeOf, readToken, takePage, writeToken } from "../page-token.ts";
import type { Registry } from "../registry.ts";
import { fromBytes } from "../store/json.ts";
import type { VersionRecord } from "../store/records.ts";
import { differenceBytes, toDifference } from "../wire/content.ts";
import { toAuditRecord, toVersion } from "../wire/nouns.ts";

type VersionHandlers = Pick<
  Handlers<typeof RegistryService>,
  "getVersion" | "listVersions" | "diffVersions" | "listAuditRecords"
>;

export function versionHandlers(registry: Registry): VersionHandlers {
  const { directory, history, states, store, limits } = registry;
  return {
    async getVersion({ name }, { signal }) {
      const { model, id } = partsOf(name, "versions");
      await directory.model(model, signal);
      const record = await history.version(model, Number(id), signal);
      if (record !== undefined) return toVersion(model, record);
      const { value } = await directory.head(model, signal);
      throw fault.notFound(
        "VERSION_NOT_FOUND",
        name,
        `${model} has no version ${id}: its head is ${value.version}`,
      );
    },

    async listVersions(request, { signal }) {
      const model = modelOf(request.parent);
      await directory.model(model, signal);
      const query = { of: ["ListVersions", model], pageToken: request.pageToken };
      const { after } = readToken(query);
      const prefix = keys.versions(model);
      const range = after === "" ? { prefix } : { prefix, after: keys.version(model, Number(after)) };
      const options = { limit: pageSizeOf(request.pageSize, limits), descending: true };
      const { entries, more } = await store.range(range, options, signal);
      const versions = entries.map(({ value }) => fromBytes<VersionRecord>(value));
      return {
        versions: versions.map((version) => toVersion(model, version)),
        nextPageToken: more ? writeToken(query, { after: String(versions.at(-1)?.number), of: "" }) : "",
      };
    },

    async diffVersions(request, { signal }) {
      const model = modelOf(request.parent);
      const { fromVersion, toVersion: to } = request;
      const query = { of: ["DiffVersions", model, fromVersion, to], pageToken: request.pageToken };
      const { after } = readToken(query);
      const [before, behind] = await Promise.all([
        states.at(model, Number(fromVersion), signal),
        states.at(model, Number(to), signal),
      ]);
      const { page, more } = takePage(
        differences(before, behind, after),
        pageSizeOf(request.pageSize, limits),
        limits.responseBytes,
        differenceBytes,
      );
      return {
        differences: page.map((each) => toDifference(model, each)),
        nextPageToken: more ? writeToken(query, { after: page.at(-1)?.entity ?? "", of: "" }) : "",
      };
    },

    async listAuditRecords(request, { signal }) {
      const model = modelOf(request.parent);
      await directory.model(model, signal);
      const query = { of: ["ListAuditRecords", model], pageToken: request.pageToken };
      const { after } = readToken(query);
      const prefix = keys.audits(model);
      const range = after === "" ? { prefix } : { prefix, after: keys.audit(model, after) };
      const options = { limit: pageSizeOf(request.pageSize, limits), descending: true };
      const { entries, more } = await store.range(range, options, signal);
      const last = entries.at(-1)?.key.slice(prefix.length) ?? "";
      return {
        auditRecords: entries.map(({ createRevision, value }) =>
          toAuditRecord(model, createRevision, fromBytes<Audit>(value)),
        ),
        nextPageToken: more ? writeToken(query, { after: last, of: "" }) : "",
      };
    },
  };
}
