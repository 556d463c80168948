import { entityKey, type EntityKey } from "@greco/domain/model";
import { describe, expect, it } from "vitest";
import { Chain } from "./chain.ts";
import { View, type ViewChange } from "./view.ts";

const { signal } = new AbortController();
const key = (name: string): EntityKey => entityKey("stream", name);
const put = (name: string, spec: unknown): ViewChange => ({ key: key(name), specJson: JSON.stringify(spec) });

/** A registry with a history: version n has one stream `s1` … `sn`. */
function registryAt(head: number) {
  const asked: unknown[] = [];
  const registry = { head, asked };
  const at = (version: number): View =>
    View.of(
      version,
      Array.from({ length: version }, (_, n) => ({
        key: key(`s${n + 1}`),
        createdVersion: n + 1,
        specJson: "1",
      })),
    );
  const snapshot = async (
    wanted: { readonly version: number } | { readonly atLeast: number },
  ): Promise<View> => {
    asked.push(wanted);
    return at("version" in wanted ? wanted.version : registry.head);
  };
  return { registry, chain: new Chain({ snapshot, aheadMax: 3, signal }) };
}
const commit = (version: number): { version: number; changes: ViewChange[] } => ({
  version,
  changes: [put(`s${version}`, 1)],
});
const names = (view: View | undefined): string[] =>
  [...(view?.ofKind("stream") ?? [])].map((each) => each.identity);

describe("the chain of commits", () => {
  it("keeps the view at the head by what commits change, and asks the registry once", async () => {
    const { registry, chain } = registryAt(1);
    await chain.catchUp(0);
    for (const version of [2, 3, 4]) chain.announce(commit(version));
    expect(names(await chain.at(4, signal))).toEqual([
      "stream/s1@1",
      "stream/s2@2",
      "stream/s3@3",
      "stream/s4@4",
    ]);
    expect(registry.asked).toHaveLength(1);
  });

  it("puts announcements in order, and takes repeats once", async () => {
    const { registry, chain } = registryAt(0);
    await chain.catchUp(0);
    for (const version of [3, 3, 2, 1, 1, 2]) chain.announce(commit(version));
    expect(chain.version).toBe(3);
    expect(registry.asked).toHaveLength(1);
  });

  it("takes a snapshot where the chain broke, and goes on from there", async () => {
    const { registry, chain } = registryAt(1);
    await chain.catchUp(0);
    registry.head = 3;
    chain.announce(commit(3));
    chain.announce(commit(4));
    expect(chain.version).toBe(1);
    const view = await chain.at(4, signal);
    expect([view?.version, names(view).length]).toEqual([4, 4]);
    expect(registry.asked).toEqual([{ atLeast: 0 }, { atLeast: 4 }]);
  });

  it("has no view of a base that the head has left", async () => {
    const { chain } = registryAt(5);
    await chain.catchUp(0);
    expect(await chain.at(4, signal)).toBeUndefined();
    expect((await chain.older(2, signal)).version).toBe(2);
    expect(chain.version).toBe(5);
  });

  it("keeps few announcements ahead of a missing one", async () => {
    const { registry, chain } = registryAt(1);
    await chain.catchUp(0);
    for (const version of [10, 11, 12, 13, 14]) chain.announce(commit(version));
    registry.head = 13;
    expect((await chain.at(13, signal))?.version).toBe(13);
  });
});

describe("a view", () => {
  it("stays as it was when the next version is made of it", () => {
    const one = View.of(1, [{ key: key("a"), createdVersion: 1, specJson: '{"lanes":1}' }]);
    const two = one.with([put("a", { lanes: 2 }), put("b", {}), { key: key("gone"), specJson: undefined }]);
    const three = two.with([{ key: key("a"), specJson: undefined }]);
    expect([names(one), names(two), names(three)]).toEqual([
      ["stream/a@1"],
      ["stream/a@1", "stream/b@2"],
      ["stream/b@2"],
    ]);
    expect([one.get(key("a"))?.spec, two.get(key("a"))?.spec]).toEqual([{ lanes: 1 }, { lanes: 2 }]);
    expect(names(three.with([put("a", {})]))).toEqual(["stream/a@4", "stream/b@2"]);
  });
});
