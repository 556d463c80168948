/** What a transaction may be: etcd's own limits and rules, checked before anything is read or written (I15). */
import {
  CP_STORE_LIMITS,
  type Compare,
  type KeyRange,
  type Operation,
  StoreLimitError,
  type Transaction,
} from "@greco/ports";

const NO_OPERATIONS: readonly Operation[] = [];

/** Characters are counted as UTF-16 units or bytes, whichever is cheap: a limit, not a measure. */
function sizeOf(each: Compare | Operation): number {
  if ("target" in each) return each.key.length + (each.target === "value" ? each.value.length : 0);
  if (each.type === "put") return Buffer.byteLength(each.key) + each.value.length;
  return "key" in each.range ? each.range.key.length : each.range.prefix.length;
}

export function checkKey(key: string): void {
  if (key === "" || !key.isWellFormed())
    throw new StoreLimitError(
      `a key must be well-formed text and not empty; got ${JSON.stringify(key.slice(0, 80))}`,
    );
}

function checkRange(range: KeyRange): void {
  if ("key" in range) checkKey(range.key);
  else if (!range.prefix.isWellFormed()) checkKey(range.prefix);
}

/** As in etcd: no key is put twice, or put and deleted, in one list. Deletes may overlap. */
function checkWrittenOnce(operations: readonly Operation[]): void {
  const put = new Set<string>();
  const refuse = (key: string): never => {
    throw new StoreLimitError(`key ${key} is written twice in one transaction: write it once`);
  };
  for (const operation of operations) {
    if (operation.type !== "put") continue;
    if (put.has(operation.key)) refuse(operation.key);
    put.add(operation.key);
  }
  for (const operation of operations) {
    if (operation.type !== "delete") continue;
    const { range } = operation;
    if ("key" in range) {
      if (put.has(range.key)) refuse(range.key);
      continue;
    }
    for (const key of put)
      if (key.startsWith(range.prefix) && (range.after === undefined || key > range.after)) refuse(key);
  }
}

/** Throws `StoreLimitError`. */
export function checkTransaction(transaction: Transaction): void {
  const otherwise = transaction.else ?? NO_OPERATIONS;
  let bytes = 0;
  for (const list of [transaction.compare, transaction.then, otherwise]) {
    if (list.length > CP_STORE_LIMITS.operations)
      throw new StoreLimitError(
        `a transaction takes ${CP_STORE_LIMITS.operations} comparisons or operations a list, got ${list.length}: split it`,
      );
    for (const each of list) {
      bytes += sizeOf(each);
      if ("range" in each) checkRange(each.range);
      else checkKey(each.key);
    }
  }
  if (bytes > CP_STORE_LIMITS.bytes)
    throw new StoreLimitError(
      `a transaction takes ${CP_STORE_LIMITS.bytes} bytes, got ${bytes}: split the value`,
    );
  checkWrittenOnce(transaction.then);
  checkWrittenOnce(otherwise);
}
