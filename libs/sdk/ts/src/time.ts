/** The SDK runs in programs that know nothing of Greco's ports, so here it reads the machine's clock. */

/** The moment `ms` from now, as gRPC wants a deadline. */
export function deadlineIn(ms: number): Date {
  // eslint-disable-next-line no-restricted-properties -- see above
  return new Date(Date.now() + ms);
}
