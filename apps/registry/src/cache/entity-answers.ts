/** Answers about entities that are read again and again: made and encoded once, as long as the entity is the same. */
import { create } from "@bufbuild/protobuf";
import { EntitySchema, type Entity } from "@greco/contracts/greco/model/v1/model";
import type { EntityState } from "@greco/domain/model";
import { toldToMany } from "@greco/service-kit";
import { toEntity } from "../wire/content.ts";
import { Lru } from "./lru.ts";

/** Of specs, whose answers are held twice: as a message and as bytes. */
const CHARS_MAX = 4_000_000;
/** An answer without its spec, roughly. */
const ENVELOPE_CHARS = 500;

type Answer = { readonly entity: EntityState; readonly message: Entity };

export class EntityAnswers {
  readonly #answers = new Lru<Answer>(CHARS_MAX, ({ entity }) => ENVELOPE_CHARS + entity.specJson.length);

  /** `entity` is never changed: another state of it is another object. */
  of(model: string, key: string, entity: EntityState): Entity {
    const id = `${model}/${key}`;
    const known = this.#answers.get(id);
    if (known?.entity === entity) return known.message;
    const message = toldToMany(create(EntitySchema, toEntity(model, key, entity)));
    this.#answers.set(id, { entity, message });
    return message;
  }
}
