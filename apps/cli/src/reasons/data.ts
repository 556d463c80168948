/** What the data plane refuses, why a lane is held, and why a message became a dead letter. */
import type { Reasons } from "./reason.ts";

export const DATA_REASONS = {
  UNKNOWN_MODEL: {
    means: "the data plane has not heard of the model; it does with the model's first version",
    next: "make a first version so: greco make-it-so DRAFT",
  },
  UNKNOWN_STREAM: {
    means: "the model has no stream of this name at its newest epoch",
    next: "greco status lists the streams; a new one is there once its draft is made so",
  },
  STREAM_REMOVED: {
    means: "the stream was deleted by a later version",
    next: "publish to another, or make it so again; the old messages are kept for their retention",
  },
  STREAM_CHANGED: {
    means: "the stream changed while the message was on its way",
    next: "publish it again",
  },
  BUILT_IN_STREAM: {
    means: "epochs and dead-letters are written by Greco alone",
    next: "publish to a stream of your own",
  },
  UNKNOWN_LANE: { means: "there is no lane of this id", next: "greco status --all lists the lanes" },
  PAYLOAD_INVALID: {
    means: "the message breaks the schema that its stream has in this lane",
    next: "correct the field that is named; greco get stream/NAME shows the schema",
  },
  INGRESS_FULL: {
    means: "the ingress has as much under way as it takes",
    next: "publish again after the time that it names",
  },
  EPOCH_NOT_REACHED: {
    means: "the message was to be stored at an epoch that has not come yet",
    next: "wait until greco status shows the epoch, then publish again",
  },
  EPOCH_AHEAD: { means: "there is no such epoch yet", next: "greco status shows the newest" },
  POSITION_AHEAD: {
    means: "the position is behind the lane's last entry",
    next: "greco status shows how many entries a lane has; use --from end",
  },
  BELOW_RETENTION: {
    means: "the messages from there on are not kept any more",
    next: "subscribe from the first that is, which the error names, or --from beginning",
  },
  NO_SUCH_POSITION: {
    means: "the lane has no entry at this position, or does not keep it any more",
    next: "greco status shows how many entries a lane has",
  },
  ALREADY_READ: {
    means: "the query has read beyond this position: there is nothing left to give up",
    next: "greco status shows how far each reader is; what it made of the message is in its output",
  },
  NOT_A_MESSAGE: { means: "the entry at this position is a marker", next: "name the position of a message" },
  UNKNOWN_READER: {
    means: "no query of this name reads the lane at that position",
    next: "greco status shows who reads which lane",
  },
  PRODUCER_MISSING: {
    means: "messages are numbered, but the request names no producer",
    next: "give --producer ID, or leave the numbers out",
  },
  PRODUCER_SEQ_MISSING: {
    means: "a producer with an id must number its messages 1, 2, 3 …",
    next: "number them, or leave the producer out",
  },
  PRODUCER_SEQ_TOO_OLD: {
    means: "the number is older than all that is remembered of this producer: it may be stored already",
    next: "look for it in the stream before you publish it under another number",
  },
  PRODUCER_TOO_FAR_BACK: {
    means: "this producer's last message is too far back in its lane to be found",
    next: "go on under a new producer id",
  },
  PRODUCER_MOVES: {
    means: "the same producer publishes at another ingress at the same time",
    next: "publish again when that has ended; one producer id is for one program at a time",
  },
  PRODUCER_LANE_UNKNOWN: {
    means: "the lane of the producer's last acknowledgement does not exist",
    next: "name the lane and number of its last acknowledgement, or neither",
  },
  PRODUCER_LANE_OTHER_STREAM: {
    means: "the lane of the producer's last acknowledgement is one of another stream",
    next: "name the lane of its last acknowledgement in this stream",
  },
  PRODUCER_LANE_DERIVED: {
    means: "the lane is written by a query, not by producers",
    next: "name the lane of the producer's last acknowledgement",
  },
  NOT_JSON: { means: "the text, or the result of an expression, is no JSON", next: "send one JSON value" },
  NOT_UTF8: { means: "the bytes are no UTF-8", next: "send JSON as UTF-8" },
  JSON_TOO_LARGE: { means: "the JSON is larger than is allowed", next: "send less at once" },
  JSON_TOO_DEEP: { means: "the JSON is nested deeper than is allowed", next: "make it flatter" },
  FORBIDDEN_NAME: {
    means: "a field has the name __proto__, which programs mistake for something else",
    next: "rename the field",
  },
  REPEATED_NAME: {
    means: "one object has the same field twice; readers differ in which of the two counts",
    next: "keep one of them",
  },
  BINDING_MISSING: {
    means:
      "a part of the epoch is not in this region yet, so the lane is held; it goes on by itself once it is",
    next: "wait a little; if it stays, the log of the conductor that owns the entity says why",
  },
  BINDING_UNREADABLE: {
    means: "a part of the epoch is there and cannot be read; the lane is held",
    next: "make a corrected version so; the log names the entity",
  },
  STREAM_MISSING: {
    means: "the query writes to a stream that does not exist at this epoch; the lane is held",
    next: "make a version so that has the stream",
  },
  TABLE_MISSING: {
    means: "the query uses a table that does not exist at this epoch; the lane is held",
    next: "make a version so that has the table",
  },
  HOST_FAILED: {
    means: "what runs the programs failed, not the program; the lane is held and tried again",
    next: "the runtime's log says why; it goes on by itself",
  },
  GIVEN_UP: {
    means: "a person gave the message up by greco stream dead-letter",
    next: "nothing to do; the dead letter says who did and why",
  },
  BAD_PROGRAM: {
    means: "the query that was published to the runtime is none that its workers know",
    next: "make it so again; if it stays, runtime and conductor are of different versions",
  },
  BAD_EXPRESSION: {
    means: "an expression does not compile in the worker, though the conductor took it",
    next: "change the expression; report it, the conductor should have vetoed it",
  },
  BAD_HANDLER: {
    means: "the handler's module fails when it is loaded",
    next: "correct what runs at its top level; the message says what it threw",
  },
  BAD_PAYLOAD: {
    means: "the stored message cannot be read as JSON",
    next: "it cannot be processed; the dead letter keeps it",
  },
  BAD_RESULT: {
    means: "the handler returned what is no message",
    next: "return an object, a list of objects, or nothing",
  },
  HANDLER_THREW: {
    means: "the handler threw; it was tried again as often as onError says",
    next: "correct the handler; the message is what it threw",
  },
  EVALUATION_FAILED: {
    means: "an expression has no value for this message",
    next: "guard it: has(event.field) ? … : …; the dead letter holds the message",
  },
  DIVISION_BY_ZERO: { means: "an expression divides by zero", next: "guard it: x == 0 ? … : … / x" },
  NO_SUCH_FIELD: {
    means: "an expression reads a field, or a table's row, that is not there for this message",
    next: "guard it: has(event.field), or KEY in tables.NAME",
  },
  TOO_MANY_STEPS: {
    means: "an expression takes more steps than is allowed, as over a very long list",
    next: "make it simpler, or write a handler",
  },
  TIMEOUT: {
    means: "the program took longer for a message than its timeoutMs; its worker was ended",
    next: "make it quicker, or give it more time: timeoutMs",
  },
  LOAD_TIMEOUT: {
    means: "the program took too long to load; its worker was ended",
    next: "do less at the top level of the handler",
  },
  OUT_OF_MEMORY: {
    means: "the program needs more memory than its worker has; the worker was ended",
    next: "hold less at once",
  },
  WORKER_CRASHED: {
    means: "the worker crashed while it held the message",
    next: "the message says how; the message is tried again in another worker",
  },
  WORKER_ENDED: {
    means: "the program ended its worker, as by process.exit()",
    next: "return from the handler instead",
  },
  WORKER_LOST: {
    means: "several workers died while they held the message, which may be to blame or not",
    next: "look at the others' failures of the same time; the dead letter holds the message",
  },
  CLOSED: {
    means: "the runtime stopped before the message was processed",
    next: "nothing to do: another one takes it",
  },
  OUTPUT_TOO_LARGE: {
    means: "one message has more or larger outputs than is allowed",
    next: "give fewer or smaller ones",
  },
  OUTPUT_WITHOUT_STREAM: {
    means: "the handler has outputs, but its query writes to no stream",
    next: "name one in to",
  },
} as const satisfies Reasons;
