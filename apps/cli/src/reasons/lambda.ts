/** What AWS Lambda's conductor vetoes, what it finds there, and why a call of a function fails. */
import type { Reasons } from "./reason.ts";

const DRIFT_REASONS = {
  LATEST_CHANGED: {
    means:
      "somebody changed the function's $LATEST; messages go on meeting the numbered version of their epoch",
    next: "find out who and why; greco repair puts back what the newest version says",
  },
  PROBE_NAME_TAKEN: {
    means: "permissions are tried on a function that is not there, and somebody has made one of that name",
    next: "delete that function, or give the conductor another --function-prefix",
  },
  VERSION_MISSING: {
    means: "the published version that an epoch names was deleted; lanes that need it are held",
    next: "greco repair publishes it again; runtimes find it by its content",
  },
  FUNCTION_MISSING: {
    means: "the function was deleted; lanes that need it are held",
    next: "greco repair makes it again",
  },
  FOREIGN_TAGS: {
    means: "the function's tags do not say any more that it belongs to this query, so it is not touched",
    next: "see whose it is; then put the tags back that the message names, or delete the function",
  },
  ALIAS_ELSEWHERE: {
    means: "the alias live, which is for people and outside callers, does not name the newest version",
    next: "greco repair sets it; no message of a stream goes by the alias",
  },
  CONCURRENCY_DIFFERS: {
    means: "the function's reserved or provisioned concurrency is not as the query says",
    next: "greco repair puts it back; if the change was wanted, make it so in the query",
  },
} as const satisfies Reasons;

const PREPARE_REASONS = {
  FOREIGN_FUNCTION: {
    means:
      "a function of this name is there, and is not tagged as this query's; what is not ours is never touched",
    next: "delete or rename that function, or give the conductor another prefix",
  },
  FUNCTION_FAILED: {
    means: "AWS could not make, change or activate the function; the message is AWS's own reason",
    next: "correct what it names, as a role or a setting of the query, then make it so again",
  },
  EDITED_BY_OTHERS: {
    means: "somebody else changed the function each time it was being made ready",
    next: "find out what else manages it, keep it away, then make it so again",
  },
  NOT_READY_IN_TIME: {
    means: "AWS had not finished when the time to prepare was over; the message says what was waited for",
    next: "make it so again: what is finished by then is taken as it is",
  },
  PROVISIONING_FAILED: {
    means: "AWS could not keep as many environments warm as the query asks for",
    next: "ask for fewer, or have the account's concurrency raised",
  },
  ACCESS_DENIED: {
    means: "the conductor's credentials do not allow a call that it needs",
    next: "give it what deploy/aws/policy.json lists; greco doctor aws tells what it lacks",
  },
  REFUSED_BY_AWS: {
    means: "AWS refused a call; the message is its own",
    next: "correct what it names, then make it so again",
  },
} as const satisfies Reasons;

const REVIEW_REASONS = {
  CODE_STORAGE_FULL: {
    means: "the account keeps almost as many bytes of code as it may",
    next: "delete versions that nobody needs, or have the account's code storage raised",
  },
  CONCURRENCY_EXHAUSTED: {
    means: "more calls at once are to be set aside than the account has left",
    next: "reserve less, or have the account's concurrency raised",
  },
  ROLE_MISSING: {
    means: "the query names no role for its function to run as, and the conductor has no default",
    next: "name one in lambda.role, or start the conductor with --role",
  },
  ROLE_NOT_AN_ARN: {
    means: "what stands in lambda.role is no ARN of a role",
    next: "write it as arn:aws:iam::123456789012:role/name",
  },
  ROLE_UNKNOWN: { means: "the account has no such role", next: "make it, or name one that is there" },
  ROLE_NOT_FOR_LAMBDA: {
    means: "the role's trust policy does not let AWS Lambda assume it",
    next: "add lambda.amazonaws.com with sts:AssumeRole to its trust policy",
  },
  ROLE_NOT_ASSUMABLE: {
    means: "AWS Lambda cannot assume the function's role, as for some seconds after a role was made",
    next: "look at the role's trust policy; if it was made a moment ago, make it so again",
  },
  MEMORY_OUT_OF_RANGE: {
    means: "AWS Lambda does not offer that much, or that little, memory",
    next: "choose one within the bounds that the message names",
  },
  TIMEOUT_OUT_OF_RANGE: {
    means: "AWS Lambda does not let a call take that long, or that short",
    next: "choose a time within the bounds that the message names",
  },
  TIMEOUT_BELOW_MESSAGE: {
    means: "the function's calls end before one message's own time is over",
    next: "give the call more time, or a message less",
  },
  ENVIRONMENT_TOO_LARGE: {
    means: "the function's environment variables are larger than AWS Lambda takes",
    next: "put what is large into a table, or into the handler",
  },
  VARIABLE_RESERVED: { means: "AWS sets this environment variable itself", next: "choose another name" },
  VARIABLE_NAME: {
    means: "AWS does not take this as the name of an environment variable",
    next: "use letters, digits and _, two at least, a letter first",
  },
  PROVISIONED_ABOVE_RESERVED: {
    means: "more environments are to be kept warm than calls are reserved",
    next: "keep fewer warm, or reserve more",
  },
  PROVISIONED_OVERLAP: {
    means:
      "until all lanes have crossed, both versions are kept warm, and together they are more than is reserved",
    next: "reserve as many as the message names, or keep fewer warm during the change",
  },
  ZIP_TOO_LARGE: {
    means: "the query's code and tables are larger, zipped, than AWS Lambda takes",
    next: "make the handler or its tables smaller",
  },
  CODE_TOO_LARGE: {
    means: "the query's code and tables are larger than AWS Lambda takes",
    next: "make the handler or its tables smaller",
  },
} as const satisfies Reasons;

const CALL_REASONS_OF_LAMBDA = {
  THROTTLED: {
    means:
      "AWS Lambda took no more calls of the function, and the query's onError did not allow for more tries",
    next: "reserve more concurrency, allow more tries in onError, or read with fewer calls at once",
  },
  PAYLOAD_TOO_LARGE: {
    means: "the message makes a call larger than the 6 MB that AWS Lambda takes",
    next: "make the message smaller; the dead letter holds it",
  },
  RESULT_TOO_LARGE: {
    means: "the function's answer is larger than AWS Lambda lets through",
    next: "give fewer or smaller outputs for a message",
  },
  FUNCTION_ERROR: {
    means: "the function crashed while it held the message",
    next: "the message says how; the function's log in CloudWatch says more",
  },
  LAMBDA_NOT_CONFIGURED: {
    means: "the query runs on AWS Lambda, and this runtime was not told in which region; the lane is held",
    next: "start the runtime with --lambda-region",
  },
  LOAD_FAILED: {
    means: "the function's program does not load",
    next: "correct the handler; the message says what it threw",
  },
} as const satisfies Reasons;

export const LAMBDA_REASONS: Reasons = {
  ...DRIFT_REASONS,
  ...PREPARE_REASONS,
  ...REVIEW_REASONS,
  ...CALL_REASONS_OF_LAMBDA,
};
