/** The CEL library; no other file names it. */
export { Environment, EvaluationError, ParseError, TypeError as CheckError } from "@marcbachmann/cel-js";
export { Duration } from "@marcbachmann/cel-js/evaluator";
