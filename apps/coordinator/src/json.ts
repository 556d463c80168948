/** Records of the store are JSON. */
export const toBytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
export const fromBytes = (value: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(value));
