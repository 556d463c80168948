/** Who may do what in a model. A model is never left without an admin. */
import type { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { keys } from "@greco/control-kit";
import type { Compare } from "@greco/ports";
import { fault, type Handlers } from "@greco/service-kit";
import { audited } from "../audit.ts";
import { modelOf, partsOf } from "../names.ts";
import { pageSizeOf, readToken, takePage, writeToken } from "../page-token.ts";
import type { Registry } from "../registry.ts";
import { put, readRecord, type Stored } from "../store/json.ts";
import type { RoleRecord } from "../store/records.ts";
import { fromRole, toRoleBinding } from "../wire/nouns.ts";

type RoleHandlers = Pick<
  Handlers<typeof RegistryService>,
  "setRoleBinding" | "listRoleBindings" | "deleteRoleBinding"
>;

export function roleHandlers(registry: Registry): RoleHandlers {
  const { directory, store, ids, limits } = registry;

  /** Another admin, who must still be one when this one goes. */
  const anotherAdmin = async (model: string, subject: string, signal: AbortSignal): Promise<Compare> => {
    for (const [key] of directory.roles.entries(keys.roleBindings(model))) {
      if (key === keys.roleBinding(model, subject)) continue;
      const role = await readRecord<RoleRecord>(store, key, signal);
      if (role?.value.role === "admin") return { key, target: "modRevision", is: "=", value: role.revision };
    }
    throw fault.precondition(
      "LAST_ADMIN",
      `${subject} is the last admin of ${model}: make somebody else admin first`,
      [
        {
          type: "LAST_ADMIN",
          subject: `models/${model}/roleBindings/${subject}`,
          description: "the last admin",
        },
      ],
    );
  };

  const guard = async (
    model: string,
    subject: string,
    before: Stored<RoleRecord> | undefined,
    after: RoleRecord["role"] | undefined,
    signal: AbortSignal,
  ): Promise<readonly Compare[]> => {
    const key = keys.roleBinding(model, subject);
    const own: Compare = { key, target: "modRevision", is: "=", value: before?.revision ?? 0 };
    const leaves = before?.value.role === "admin" && after !== "admin";
    return leaves ? [own, await anotherAdmin(model, subject, signal)] : [own];
  };

  return {
    async setRoleBinding(request, context) {
      const { signal } = context;
      const model = modelOf(request.parent);
      await directory.model(model, signal);
      const { subject = "", role, etag = "" } = request.roleBinding ?? {};
      const key = keys.roleBinding(model, subject);
      const before = await readRecord<RoleRecord>(store, key, signal);
      if (etag !== "" && etag !== before?.value.etag) throw staleRole(model, subject);
      const record: RoleRecord = { role: fromRole(role ?? 0), etag: ids.next() };
      const compare = await guard(model, subject, before, record.role, signal);
      if (request.validateOnly) return toRoleBinding(model, subject, record);
      const resource = `models/${model}/roleBindings/${subject}`;
      const { succeeded, revision } = await store.transact(
        {
          compare,
          then: [
            put(key, record),
            audited(registry, context, model, {
              resource,
              outcome: before === undefined ? "granted" : "changed",
              detail: { role: record.role, ...(before === undefined ? {} : { was: before.value.role }) },
            }),
          ],
        },
        signal,
      );
      if (!succeeded) throw staleRole(model, subject);
      directory.roles.learn(key, record, revision);
      return toRoleBinding(model, subject, record);
    },

    async listRoleBindings(request, { signal }) {
      const model = modelOf(request.parent);
      await directory.model(model, signal);
      const query = { of: ["ListRoleBindings", model], pageToken: request.pageToken };
      const { after } = readToken(query);
      const { page, more } = takePage(
        directory.roles.entries(keys.roleBindings(model), after === "" ? "" : keys.roleBinding(model, after)),
        pageSizeOf(request.pageSize, limits),
        limits.responseBytes,
        () => 256,
      );
      const subjectOf = (key: string): string => key.slice(keys.roleBindings(model).length);
      return {
        roleBindings: page.map(([key, { value }]) => toRoleBinding(model, subjectOf(key), value)),
        nextPageToken: more ? writeToken(query, { after: subjectOf(page.at(-1)?.[0] ?? ""), of: "" }) : "",
      };
    },

    async deleteRoleBinding({ name, etag, validateOnly }, context) {
      const { signal } = context;
      const { model, id: subject } = partsOf(name, "roleBindings");
      const key = keys.roleBinding(model, subject);
      const before = await readRecord<RoleRecord>(store, key, signal);
      if (before === undefined)
        throw fault.notFound("ROLE_BINDING_NOT_FOUND", name, `${subject} has no role in ${model}`);
      if (etag !== "" && etag !== before.value.etag) throw staleRole(model, subject);
      const compare = await guard(model, subject, before, undefined, signal);
      if (validateOnly) return {};
      const { succeeded, revision } = await store.transact(
        {
          compare,
          then: [
            { type: "delete", range: { key } },
            audited(registry, context, model, {
              resource: name,
              outcome: "revoked",
              detail: { was: before.value.role },
            }),
          ],
        },
        signal,
      );
      if (!succeeded) throw staleRole(model, subject);
      directory.roles.learn(key, undefined, revision);
      return {};
    },
  };
}

function staleRole(model: string, subject: string): Error {
  return fault.aborted(
    "STALE_ETAG",
    `the role of ${subject} in ${model}, or that of another admin, has changed meanwhile: read it again`,
  );
}
