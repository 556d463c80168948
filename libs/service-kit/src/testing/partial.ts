/** A service of which only some methods answer: for tests that need no more. */
import type { DescService } from "@bufbuild/protobuf";
import { fault } from "../fault.ts";
import { implement, methodName, type Handlers, type ServiceImplementation } from "../handlers.ts";

export function implementPartly<S extends DescService>(
  service: S,
  handlers: Partial<Handlers<S>>,
): ServiceImplementation {
  const missing = service.methods.map((method) => [
    method.localName,
    () => {
      throw fault.unimplemented("NOT_IN_THIS_TEST", `${methodName(method)} is not served in this test`);
    },
  ]);
  return implement(service, { ...Object.fromEntries(missing), ...handlers } as Handlers<S>);
}
