/** How a call is refused, and that it changed nothing. */
import { GrecoError } from "@greco/sdk";
import { PARENT, type World } from "./world.ts";

export async function errorOf(call: () => Promise<unknown>): Promise<GrecoError> {
  const error: unknown = await call().then(
    () => undefined,
    (each: unknown) => each,
  );
  if (!(error instanceof GrecoError))
    throw new Error("the call should have been refused with a GrecoError", { cause: error });
  return error;
}

/** Everything that a bad request could have changed. */
export async function fingerprint(world: World): Promise<unknown> {
  const { registry, commit, ingress } = world.dev.clients("admin");
  const options = { signal: world.signal };
  const model = await registry.getModel({ name: PARENT }, options);
  const { entities } = await registry.listEntities({ parent: PARENT, pageSize: 1_000 }, options);
  const { drafts } = await registry.listDrafts({ parent: PARENT, pageSize: 1_000 }, options);
  const { kinds } = await registry.listKinds({ parent: PARENT, pageSize: 1_000 }, options);
  const { proposals } = await commit.listProposals({ parent: PARENT, pageSize: 1_000 }, options);
  // The data plane hears of a model by its first commit.
  const { lanes } =
    model.headVersion === 0n
      ? { lanes: [] }
      : await ingress.listLanes({ parent: PARENT, pageSize: 1_000 }, options);
  return {
    head: model.headVersion,
    entities: entities.map((each) => [each.name, each.specJson]),
    drafts: drafts.map((each) => [each.name, each.etag]),
    kinds: kinds.map((each) => [each.name, each.etag]),
    proposals: proposals.map((each) => [each.name, each.phase]),
    tails: lanes.filter((each) => each.stream.includes("/a")).map((each) => [each.lane, each.tailSeq]),
  };
}
