/** Waits until a query has read every lane of its stream to the end of now. */
import type { Clients } from "../story.ts";
import { until } from "../story.ts";

export async function drained(
  clients: Clients,
  parent: string,
  stream: string,
  query: string,
  signal: AbortSignal,
): Promise<void> {
  await until(async () => {
    const { lanes } = await clients.ingress.listLanes(
      { parent, stream, includeEnded: true, pageSize: 1_000 },
      { signal },
    );
    const lags = lanes.map(
      (lane) =>
        lane.readers.find((reader) => reader.query.startsWith(`query/${query}@`))?.lag ?? lane.tailSeq,
    );
    return lags.length > 0 && lags.every((lag) => lag === 0n) ? true : undefined;
  }, signal);
}
