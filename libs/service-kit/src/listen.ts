/** Where a server listens. Port 0: any free one. */
export type Listen = { readonly host: string; readonly port: number };

/** `127.0.0.1:50051`, `[::1]:50051` */
export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

export function cannotListen({ host, port }: Listen, cause: unknown): Error {
  return new Error(`cannot listen on ${hostPort(host, port)}: choose another port`, { cause });
}
