/** `VOTER_POLICY_ALL` → `all`. */
export const enumName = (
  schema: { readonly value: Readonly<Record<number, { readonly localName: string } | undefined>> },
  value: number,
): string => (schema.value[value]?.localName ?? "").toLowerCase().replaceAll("_", " ");
