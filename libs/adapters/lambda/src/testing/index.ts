export { startLambdaStub } from "./lambda-stub.ts";
export type { LambdaScript, LambdaStub, StubAnswer, StubCall, StubVersion } from "./lambda-stub.ts";
