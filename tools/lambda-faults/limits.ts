// What the proxy keeps at most, and why.

/** Of the caller's request: AWS takes a zip of 50 MB, which is 67 MB in base64, and refuses more itself. */
export const requestBytesMax = 80 * 1024 * 1024;

/** Of a body that the log shows as it is: an environment (4 KB) and a batch of messages fit; above it, its digest. */
export const loggedBytesMax = 64 * 1024;

/**
 * Calls that the log keeps, the newest: 200 functions with all their polls are some thousands, and a call is at most
 * a few `loggedBytesMax`.
 */
export const callsMax = 20_000;

/** Below the 75 s after which ministack closes a connection: a call is never sent on one that is about to go. */
export const idleConnectionMs = 10_000;

/** Above the idle time of the SDK's own connections, for the same reason. */
export const keepAliveMs = 120_000;
