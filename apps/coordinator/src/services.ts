/** The three services, method by method. */
import { CommitService } from "@greco/contracts/greco/commit/v1/commit";
import { ColdBootService } from "@greco/contracts/greco/conductor/v1/cold_boot";
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { implement, type ServiceImplementation } from "@greco/service-kit";
import type { Coordinator } from "./coordinator.ts";
import { answerCommand } from "./handlers/answer.ts";
import { deregisterConductor, getConductor, listConductors } from "./handlers/conductors.ts";
import { confirmProposal } from "./handlers/confirm.ts";
import { makeItSo, rollback } from "./handlers/make-it-so.ts";
import { getProposal, listProposals, watchProposal } from "./handlers/proposals.ts";
import { registerConductor } from "./handlers/register.ts";
import { requestBindings } from "./handlers/request-bindings.ts";
import { withdrawProposal } from "./handlers/withdraw.ts";
import { inspect, mend } from "./inspect/inspect.ts";
import { plan } from "./plan/plan.ts";

export function services(coordinator: Coordinator): readonly ServiceImplementation[] {
  return [
    implement(CommitService, {
      plan: (request, context) => plan(coordinator, request, context),
      makeItSo: (request, context) => makeItSo(coordinator, request, context),
      rollback: (request, context) => rollback(coordinator, request, context),
      getProposal: (request, context) => getProposal(coordinator, request, context),
      listProposals: (request, context) => listProposals(coordinator, request, context),
      watchProposal: (request, context) => watchProposal(coordinator, request, context),
      withdrawProposal: (request, context) => withdrawProposal(coordinator, request, context),
      confirmProposal: (request, context) => confirmProposal(coordinator, request, context),
      inspect: (request, context) => inspect(coordinator, request, context),
      mend: (request, context) => mend(coordinator, request, context),
    }),
    implement(ConductorService, {
      registerConductor: (request, context) => registerConductor(coordinator, request, context),
      answerCommand: (request, context) => answerCommand(coordinator, request, context),
      getConductor: (request, context) => getConductor(coordinator, request, context),
      listConductors: (request, context) => listConductors(coordinator, request, context),
      deregisterConductor: (request, context) => deregisterConductor(coordinator, request, context),
    }),
    implement(ColdBootService, {
      requestBindings: (request, context) => requestBindings(coordinator, request, context),
    }),
  ];
}
