/** A trouble, armed at its call. */
import type { Call } from "../../../../../tools/lambda-faults/call.ts";
import type { Armed, What, When } from "../../../../../tools/lambda-faults/fault.ts";
import type { LambdaFaults } from "../../../../../tools/lambda-faults/lambda-faults.ts";
import type { Kill } from "./kill.ts";
import type { Step } from "./steps.ts";
import type { Trouble } from "./troubles.ts";

const ALWAYS = 1_000_000;

export type Arming = {
  readonly proxy: LambdaFaults;
  readonly step: Step;
  /** Whether the call is the step; asked before it is counted. */
  isAt(call: Call): boolean;
  /** Whether it is a call of the same kind, for the same model. */
  isLike(call: Call): boolean;
  /** Somebody else makes a function of this name. */
  take(name: string, tags: Readonly<Record<string, string>>): Promise<void>;
};

export type ArmedTrouble = {
  /** Whether its call was made. */
  readonly met: boolean;
  disarm(): void;
};

export function arm(arming: Arming, trouble: Trouble, kill: Kill | undefined): ArmedTrouble {
  const at = new AtStep(arming);
  const armed = armedOf(at, arming, trouble, kill);
  return {
    get met() {
      return at.met;
    },
    disarm() {
      for (const each of armed) each.disarm();
      // Others wait for all of them.
      if (!at.met) kill?.leave();
    },
  };
}

class AtStep {
  readonly #arming: Arming;
  met = false;

  constructor(arming: Arming) {
    this.#arming = arming;
  }

  what(what: What): Armed {
    const { proxy, step, isAt } = this.#arming;
    return proxy.arm({ operation: step.operation, matches: isAt, what });
  }

  /** From the step on. */
  always(what: What): Armed {
    const { proxy, step, isAt, isLike } = this.#arming;
    const matches = (call: Call): boolean => (this.met ? isLike(call) : isAt(call));
    return proxy.arm({ operation: step.operation, matches, times: ALWAYS, what });
  }

  hook(when: When, run: (call: Call) => Promise<void>): Armed {
    return this.what({
      type: "hook",
      when,
      run: (call) => {
        this.met = true;
        return run(call);
      },
    });
  }
}

function armedOf(at: AtStep, { take }: Arming, trouble: Trouble, kill: Kill | undefined): readonly Armed[] {
  switch (trouble.type) {
    case "fault": {
      const noted = at.hook("before", () => Promise.resolve());
      return [noted, trouble.always === true ? at.always(trouble.what) : at.what(trouble.what)];
    }
    case "taken":
      return [at.hook(trouble.when, ({ functionName }) => take(functionName, trouble.tags))];
    case "kill": {
      if (kill === undefined) throw new Error("a cell with a kill is run in a round with kills");
      if (trouble.when === "after") return [at.hook("after", () => kill.arrive())];
      if (trouble.when === "late") return [at.hook("before", () => kill.arrive().then(() => kill.restarted))];
      return [at.hook("before", () => kill.arrive()), at.what({ type: "lost", when: "before" })];
    }
  }
}
