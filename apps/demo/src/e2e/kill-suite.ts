/** One cluster that is broken by one outage after the other, and checked at the end: what B-kill's test files share. */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from "vitest";
import { type Cluster, openCluster } from "./cluster.ts";
import { checked } from "./figures.ts";
import { lastWords, type Outage } from "./outages.ts";

const OPEN_MS = 600_000;
/** A tenth of a minute on an idle machine; a soak may share it. */
const OUTAGE_MS = 600_000;
const CHECK_MS = 900_000;
/** More than the limits above, so that what is waited for is told before vitest gives up. */
const MARGIN_MS = 10_000;
const FIRST = 500;
/** More would only keep the machine from what is tested: what is killed is killed in mid-stream at any rate. */
const RATE = 100;

const within = (ms: number): AbortSignal => AbortSignal.timeout(ms);

export function killSuite(title: string, outages: readonly Outage[]): void {
  describe(title, () => {
    let cluster: Cluster;
    beforeAll(async () => {
      cluster = await openCluster({ apps: { ingress: 2 }, rate: RATE }, within(OPEN_MS));
      await cluster.job.begin(within(OPEN_MS));
      await cluster.job.flow.more(FIRST, within(OPEN_MS));
    }, OPEN_MS + MARGIN_MS);
    afterAll(async () => {
      await cluster[Symbol.asyncDispose]();
    });
    const tells = (what: string): void =>
      onTestFailed(() => void process.stderr.write(`${what}\n  ${lastWords(cluster)}\n`));

    for (const outage of outages)
      it(outage.title, { timeout: OUTAGE_MS + MARGIN_MS }, async () => {
        tells(outage.title);
        await outage.run(cluster, within(OUTAGE_MS));
      });

    it(
      "I6, I8: nothing is lost, duplicated or misapplied",
      { timeout: CHECK_MS + MARGIN_MS },
      async (test) => {
        tells("the check");
        const { found, right, figure } = checked(await cluster.job.check(within(CHECK_MS)), cluster.job.flow);
        test.task.meta.figure = `${outages.length} outages: ${figure}`;
        expect(found).toEqual(right);
      },
    );
  });
}
