// One generator for the contract suites and for simulations: a seed means the same in both.
export type { Random } from "@greco/ports/testing/random";
export { seededRandom } from "@greco/ports/testing/random";
