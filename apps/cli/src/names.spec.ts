import { describe, expect, it } from "vitest";
import { entityResourceOf, modelResourceOf, pages, parseInteger, resourceOf } from "./names.ts";
import { nameOfIdentity, shortName, thingOf } from "./short-name.ts";

describe("names", () => {
  it("takes kinds as people write them, and full names as they are", () => {
    expect(entityResourceOf("models/m", "Query/late-flights")).toBe("models/m/entities/query/late-flights");
    expect(entityResourceOf("", "models/m/entities/query/late")).toBe("models/m/entities/query/late");
    expect(resourceOf("models/m", "drafts", "late")).toBe("models/m/drafts/late");
    expect(modelResourceOf("models/m")).toBe("models/m");
    expect(modelResourceOf("m")).toBe("models/m");
  });
  it.each(["query", "query/Late", "query/a/b", "query/", "/late", "query/../late"])(
    "refuses %s as an entity",
    (text) => expect(() => entityResourceOf("models/m", text)).toThrow("an entity is written kind/name"),
  );
  it("refuses ids that are none", () => {
    expect(() => resourceOf("models/m", "drafts", "a.b")).toThrow("'a.b' is no id");
    expect(() => modelResourceOf("A")).toThrow("a model's name matches");
  });
  it("reads numbers of versions however they are written", () => {
    expect(["7", "v7", "models/m/versions/7"].map((text) => parseInteger(text, "version"))).toEqual([
      7, 7, 7,
    ]);
    for (const text of ["", "-1", "1.5", "1e3", " 7", "seven", "99999999999999999999"])
      expect(() => parseInteger(text, "version")).toThrow(
        `version must be a whole number from 0; got '${text}'`,
      );
  });
  it("says them as people do", () => {
    expect(shortName("models/m/entities/query/x")).toBe("query/x");
    expect(shortName("models/m/drafts/d")).toBe("d");
    expect(shortName("conductors/c")).toBe("c");
    expect(shortName("x")).toBe("x");
    expect(nameOfIdentity("query/x@3")).toBe("x");
    expect(thingOf("models/m/versions/3")).toBe("version 3");
    expect(thingOf("models/m/roleBindings/eve")).toBe("role of eve");
    expect(thingOf("models/m")).toBe("model m");
    expect(thingOf("models/m/entities/query/x")).toBe("query/x");
    expect(thingOf("conductors/c")).toBe("conductor c");
  });
});

describe("pages", () => {
  const ask = (token: string) => {
    const from = token === "" ? 0 : Number(token);
    return Promise.resolve({ items: [from, from + 1], next: from < 6 ? String(from + 2) : "" });
  };
  it("walks to the end", async () => {
    expect(await pages(ask)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
  it("stops at its limit", async () => {
    expect(await pages(ask, 3)).toEqual([0, 1, 2]);
  });
});
