/** Why a call was not even looked at, or could not be answered: who calls, what was sent, how the service is. */
import type { Reasons } from "./reason.ts";

export const CALL_REASONS = {
  TOKEN_MISSING: {
    means: "the call carries no token, so nobody knows who you are",
    next: "with `greco dev` give --data DIR (its tokens are used), elsewhere --token-file FILE or GRECO_TOKEN",
  },
  TOKEN_MALFORMED: {
    means: "what stands in the authorization header is no token of Greco's",
    next: "look into the token file: one line, a JWT of three parts with dots between them",
  },
  TOKEN_EXPIRED: {
    means: "the token was good until a time that has passed",
    next: "get a new one; `greco dev` writes new ones at each start",
  },
  TOKEN_KEY: {
    means:
      "the token is not signed by a key that this service knows, as when it belongs to another installation",
    next: "check --data and --token-file: token and address must belong to the same Greco",
  },
  TOKEN_CLAIMS: {
    means: "the token is signed, but its subject, audience or service is not one that this service takes",
    next: "get a token that was issued for this Greco and for a person",
  },
  MISSING_ROLE: {
    means: "your role in this model does not include the call; the message names the role that it needs",
    next: "ask an admin of the model: greco role set YOU ROLE --model NAME (greco dev: --as releaser, --as admin)",
  },
  MODEL_MISSING: {
    means: "the request names no model, so your role in it cannot be looked up",
    next: "set the field that the message names to models/NAME",
  },
  TWO_MODELS: {
    means: "the request names two models; a call is about one",
    next: "use names of one model only",
  },
  INVALID_FIELD: {
    means: "a field of the request breaks a rule of the contract: its form, its length, its range",
    next: "correct the fields that the error names",
  },
  INVALID_ID: {
    means: "an id is not made of a-z, 0-9 and -, or is longer than 63 characters",
    next: "take another id",
  },
  INVALID_NAME: {
    means: "a resource name has not the form that the message shows",
    next: "write it as shown, with ids of a-z, 0-9 and -",
  },
  INVALID_PAGE_TOKEN: {
    means: "the page token was not given by this list",
    next: "start the list without one",
  },
  PAGE_TOKEN_INVALID: {
    means: "the page token was not given by this list",
    next: "start the list without one",
  },
  PAGE_TOKEN_MISMATCH: {
    means: "the page token belongs to a list with other parameters",
    next: "keep the parameters from page to page, or start without a token",
  },
  OUT_OF_RANGE: {
    means: "a number is larger than what can be counted exactly (9007199254740991)",
    next: "send a smaller one",
  },
  ETAG_REQUIRED: {
    means:
      "a change must name the state that it was based on, so that nobody else's change is overwritten unseen",
    next: "read the resource and send its etag along",
  },
  REQUEST_ID_REUSED: {
    means: "this request id stands for another request, which was carried out already",
    next: "take a new request id; only an exact repeat may use the old one",
  },
  MALFORMED_CALL: {
    means: "the call breaks gRPC's own rules, as with no message, two messages or an unreadable timeout",
    next: "use a gRPC client library; the message says what is wrong",
  },
  MALFORMED_REQUEST: {
    means: "the bytes of the request are not the message that the method takes",
    next: "make client and server of the same proto files",
  },
  MESSAGE_TOO_LARGE: {
    means: "the request is larger than one message may be (4 MiB)",
    next: "split it into several calls",
  },
  RESPONSE_TOO_LARGE: {
    means: "the answer would be larger than one message may be (4 MiB)",
    next: "ask for a smaller page",
  },
  UNKNOWN_METHOD: {
    means: "this port serves no such method",
    next: "check the address: registry, coordinator and ingress listen on different ports",
  },
  UNKNOWN_SERVICE: {
    means: "the health of a service was asked that this port does not have",
    next: "ask for one of those that the message names, or for none",
  },
  UNSUPPORTED_ENCODING: {
    means: "the call is compressed in a way, or of a content type, that is not understood here",
    next: "send it uncompressed, by gzip or by deflate",
  },
  NOT_SERVED: {
    means: "a conductor's port serves health and reflection and nothing else",
    next: "call the registry, the coordinator or the ingress",
  },
  NO_CALLS: {
    means: "a runtime's port serves health and reflection and nothing else",
    next: "call the registry, the coordinator or the ingress",
  },
  DEADLINE_EXCEEDED: {
    means: "the time that you gave the call was over before the answer was there",
    next: "try again with more time (--timeout 2m), or ask for less",
  },
  CANCELLED: {
    means: "the call was ended by its caller, or its connection was lost",
    next: "try again",
  },
  CONNECTION_CLOSED: {
    means: "the program that called has closed its connection itself",
    next: "open a connection and call again",
  },
  SERVICE_STOPPING: {
    means: "the instance that you were connected to stops, as for an update",
    next: "connect again; watches and subscriptions go on from where they were",
  },
  SERVICE_WAITING: {
    means: "the service waits for something that it needs, as its store; nothing was changed",
    next: "try again soon; the service's log says what it waits for",
  },
  STORE_UNAVAILABLE: {
    means: "the service cannot reach its store; nothing was changed",
    next: "try again; if it stays, look at the store and at the service's log",
  },
  STORE_LIMIT: {
    means: "the change is too large for one transaction of the store",
    next: "make it smaller, or in several steps",
  },
  OUTCOME_UNKNOWN: {
    means: "nobody can say whether it took effect: the store or the lane was lost before it answered",
    next: "read before you repeat; a repeat with the same request id or producer number has effect once",
  },
  REVISION_COMPACTED: {
    means: "the history that was asked for is not kept any more",
    next: "start from the present state",
  },
  REVISION_GONE: {
    means: "a watch cannot go on from this revision: it is not kept any more",
    next: "watch from 0: the present state comes first",
  },
  UPSTREAM: {
    means: "another service refused on behalf of this one, and gave no reason of its own",
    next: "greco doctor; the log of the service that you called has the whole chain",
  },
  TRANSPORT: {
    means: "the connection itself failed, below anything that Greco knows of",
    next: "greco doctor; check addresses, ports, and proxies on the way",
  },
  INTERNAL: {
    means: "a fault in Greco; the details are in the service's log, not in the answer",
    next: "look into the log, and report it",
  },
} as const satisfies Reasons;
