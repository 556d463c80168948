import { create, toBinary, type DescMethod, type MessageInitShape } from "@bufbuild/protobuf";
import { CommitService } from "@greco/contracts/greco/commit/v1/commit";
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { exportJWK, generateKeyPair } from "jose";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "../clock.ts";
import { createLog } from "../log.ts";
import { serve, type Server } from "../serve.ts";
import { implementPartly, rawCall } from "../testing/index.ts";
import { createAuthority } from "./authority.ts";
import type { ServiceKind } from "./caller.ts";
import type { PersonRole } from "./rules.ts";
import { fixedKeys, issueToken, tokenVerifier } from "./tokens.ts";

const signal = new AbortController().signal;
const roles: Record<string, PersonRole> = {
  "flights/vera": "viewer",
  "flights/ed": "editor",
  "flights/rhea": "releaser",
  "flights/ada": "admin",
  "trains/ed": "releaser",
};

let server: Server;
let token: (subject: string, kind?: ServiceKind) => Promise<string>;
/** What reached a handler. */
const effects: string[] = [];

beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const signing = { ...(await exportJWK(privateKey)), kid: "k" };
  const verifying = { ...(await exportJWK(publicKey)), kid: "k" };
  token = (subject, kind) =>
    issueToken(
      signing,
      { subject, ttlMs: 60_000, ...(kind === undefined ? {} : { service: { kind, name: subject } }) },
      systemClock,
    );
  const took = async (
    _request: unknown,
    { method, caller }: { method: string; caller: { subject: string } },
  ) => {
    effects.push(`${caller.subject} ${method}`);
    return {};
  };
  server = await serve(
    {
      services: [
        implementPartly(CommitService, { makeItSo: took, rollback: took, getProposal: took }),
        implementPartly(ConductorService, {
          registerConductor: took,
          answerCommand: took,
          deregisterConductor: took,
          listConductors: took,
        }),
        implementPartly(RegistryService, {
          getEntity: took,
          promote: took,
          updateModel: took,
          updateKind: took,
          getModel: took,
          listModels: took,
        }),
      ],
      listen: { host: "127.0.0.1", port: 0 },
      authority: createAuthority({
        tokens: tokenVerifier(fixedKeys({ keys: [verifying] }), systemClock),
        roleOf: (model, subject) => Promise.resolve(roles[`${model}/${subject}`]),
      }),
      log: createLog({ service: "test", level: "silent" }),
      clock: systemClock,
    },
    signal,
  );
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

async function call<M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>, bearer?: string) {
  effects.length = 0;
  const path = `/${method.parent.typeName}/${method.name}`;
  const bytes = toBinary(method.input, create(method.input, request));
  const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  const answer = await rawCall({ address: server.address, path, bytes, headers });
  return { ...answer, info: answer.infos[0], infoCount: answer.infos.length, effects: [...effects] };
}

const { makeItSo, rollback, getProposal } = CommitService.method;
const draft = { draft: "models/flights/drafts/d" };

it("I14: refuses a call without a token, with no effect", async () => {
  expect(await call(makeItSo, draft)).toMatchObject({
    code: "UNAUTHENTICATED",
    info: { reason: "TOKEN_MISSING" },
    infoCount: 1,
    effects: [],
  });
  expect(await call(makeItSo, draft, "forged")).toMatchObject({ code: "UNAUTHENTICATED", effects: [] });
});

it("I14: refuses make-it-so by an editor, with no effect, naming the missing role and who can grant it", async () => {
  const answer = await call(makeItSo, draft, await token("ed"));
  expect(answer).toMatchObject({
    code: "PERMISSION_DENIED",
    infoCount: 1,
    info: {
      reason: "MISSING_ROLE",
      metadata: { missingRole: "releaser", heldRole: "editor", model: "models/flights", subject: "ed" },
    },
    effects: [],
  });
  expect(answer.message).toBe(
    "MakeItSo needs the role releaser in models/flights, and ed has only editor: an admin of models/flights can grant it",
  );
});

it("I14: lets a role through, and every higher one, in that model alone", async () => {
  for (const [subject, code] of Object.entries({
    vera: "PERMISSION_DENIED",
    ed: "PERMISSION_DENIED",
    rhea: "OK",
    ada: "OK",
  }))
    expect([
      subject,
      (await call(rollback, { model: "models/flights", toVersion: 1n }, await token(subject))).code,
    ]).toEqual([subject, code]);
  expect((await call(rollback, { model: "models/trains" }, await token("ed"))).code).toBe("OK");
  expect((await call(rollback, { model: "models/trains" }, await token("ada"))).message).toContain(
    "ada has no role there",
  );
  expect((await call(getProposal, { name: "models/flights/proposals/p" }, await token("vera"))).code).toBe(
    "OK",
  );
});

it("I14: a role in one model does not reach into another by a second name", async () => {
  const request = {
    name: "models/trains/entities/query/q",
    view: { at: { case: "draft", value: "models/flights/drafts/d" } },
  } as const;
  expect(await call(RegistryService.method.getEntity, request, await token("ed"))).toMatchObject({
    code: "INVALID_ARGUMENT",
    info: { reason: "TWO_MODELS" },
    fields: ["view.draft"],
    effects: [],
  });
});

it("I14: finds the model in a nested resource, and refuses a request that names none", async () => {
  const { updateModel, updateKind } = RegistryService.method;
  expect((await call(updateModel, { model: { name: "models/flights" } }, await token("rhea"))).code).toBe(
    "PERMISSION_DENIED",
  );
  expect((await call(updateModel, { model: { name: "models/flights" } }, await token("ada"))).code).toBe(
    "OK",
  );
  expect(
    (await call(updateKind, { kind: { name: "models/flights/kinds/flag" } }, await token("ada"))).code,
  ).toBe("OK");
  expect(await call(updateKind, { kind: { name: "kinds/flag" } }, await token("ada"))).toMatchObject({
    code: "INVALID_ARGUMENT",
    info: { reason: "MODEL_MISSING" },
    fields: ["kind.name"],
    effects: [],
  });
});

const { registerConductor, answerCommand, deregisterConductor, listConductors } = ConductorService.method;
const registration = { name: "conductors/worker", model: "models/flights", incarnation: 1n };
const answering = {
  conductor: "conductors/worker",
  model: "models/flights",
  incarnation: 1n,
  commandId: "c",
  answer: { case: "settled", value: {} },
} as const;

it("I14: a conductor acts as the one that its token names, and as no other", async () => {
  const [worker, streams] = [await token("worker", "conductor"), await token("streams", "conductor")];
  expect((await call(registerConductor, registration, worker)).code).toBe("OK");
  expect((await call(answerCommand, answering, worker)).code).toBe("OK");
  for (const [method, request] of [
    [registerConductor, registration],
    [answerCommand, answering],
  ] as const)
    expect(await call(method, request as never, streams)).toMatchObject({
      code: "PERMISSION_DENIED",
      info: { reason: "MISSING_ROLE", metadata: { conductor: "conductors/worker" } },
      effects: [],
    });
});

it("I14: a conductor's methods are closed to people, whatever their role, and people's to conductors", async () => {
  expect(await call(answerCommand, answering, await token("ada"))).toMatchObject({
    code: "PERMISSION_DENIED",
    info: { metadata: { missingRole: "conductor" } },
    effects: [],
  });
  const deregistration = { name: "conductors/worker", model: "models/flights", reason: "gone" };
  expect((await call(deregisterConductor, deregistration, await token("worker", "conductor"))).code).toBe(
    "PERMISSION_DENIED",
  );
  expect((await call(deregisterConductor, deregistration, await token("ada"))).code).toBe("OK");
});

const { promote, getModel, listModels } = RegistryService.method;
const promotion = { parent: "models/flights", candidate: "c", digest: "0".repeat(64) };

it("I14: only the control plane decides", async () => {
  expect((await call(promote, promotion, await token("coordinator", "control"))).code).toBe("OK");
  for (const bearer of [
    await token("ada"),
    await token("worker", "conductor"),
    await token("runtime", "runtime"),
  ])
    expect(await call(promote, promotion, bearer)).toMatchObject({ code: "PERMISSION_DENIED", effects: [] });
});

it("I14: a runtime's token opens only what lists runtimes (I10)", async () => {
  const runtime = await token("runtime", "runtime");
  for (const [method, request] of [
    [getModel, { name: "models/flights" }],
    [listModels, {}],
    [listConductors, {}],
  ] as const)
    expect(await call(method, request as never, runtime)).toMatchObject({
      code: "PERMISSION_DENIED",
      effects: [],
    });
  const conductor = await token("worker", "conductor");
  expect((await call(getModel, { name: "models/flights" }, conductor)).code).toBe("OK");
  expect((await call(listModels, {}, conductor)).code).toBe("OK");
});

it("I14: a service whose method has no role does not start", async () => {
  const implementation = implementPartly(CommitService, {});
  const roleless = {
    ...CommitService,
    methods: [{ ...makeItSo, proto: { ...makeItSo.proto, options: undefined } }],
  } as unknown as typeof CommitService;
  const options = {
    services: [{ ...implementation, service: roleless }],
    listen: { host: "127.0.0.1", port: 0 },
    authority: createAuthority({
      tokens: tokenVerifier(fixedKeys({ keys: [] }), systemClock),
      roleOf: () => Promise.resolve(undefined),
    }),
    log: createLog({ service: "test", level: "silent" }),
    clock: systemClock,
  };
  await expect(serve(options, signal)).rejects.toThrow("MakeItSo has no role");
});
