/**
 * What a transaction of the CP store may be: etcd's own limits and rules, which every adapter checks before it reads,
 * writes or sends anything (I15), so that a transaction that one store refuses is refused by all, for the same reason.
 */
import {
  CP_STORE_LIMITS,
  type Compare,
  type KeyRange,
  type Operation,
  StoreLimitError,
  type Transaction,
} from "./cp-store.ts";

const NO_OPERATIONS: readonly Operation[] = [];
const encoder = new TextEncoder();

const sizeOfText = (text: string): number => encoder.encode(text).length;

function sizeOf(each: Compare | Operation): number {
  if ("target" in each) return sizeOfText(each.key) + (each.target === "value" ? each.value.length : 0);
  if (each.type === "put") return sizeOfText(each.key) + each.value.length;
  if ("key" in each.range) return sizeOfText(each.range.key);
  return 2 * sizeOfText(each.range.prefix) + sizeOfText(each.range.after ?? "");
}

function checkKey(key: string): void {
  if (key === "" || !key.isWellFormed())
    throw new StoreLimitError(
      `a key must be well-formed text and not empty; got ${JSON.stringify(key.slice(0, 80))}`,
    );
}

/** Throws `StoreLimitError` when a key of it could not be stored. */
export function checkKeyRange(range: KeyRange): void {
  if ("key" in range) checkKey(range.key);
  else {
    if (!range.prefix.isWellFormed()) checkKey(range.prefix);
    if (range.after?.isWellFormed() === false) checkKey(range.after);
  }
}

/** By the bytes of UTF-8, which is by code points and not by the units of UTF-16. */
function isBehind(key: string, after: string): boolean {
  const [a, b] = [encoder.encode(key), encoder.encode(after)];
  for (let index = 0; index < a.length && index < b.length; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return a.length > b.length;
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
      if (key.startsWith(range.prefix) && (range.after === undefined || isBehind(key, range.after)))
        refuse(key);
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
      if ("range" in each) checkKeyRange(each.range);
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
