// Errors as AWS's SDKs read them: Lambda's in JSON, with the name in a header and in the body; IAM's and STS's in XML.
import { randomUUID } from "node:crypto";
import type { Answer } from "./call.ts";

export function jsonAnswer(status: number, body: object, headers: Record<string, string> = {}): Answer {
  return {
    status,
    headers: { "content-type": "application/json", "x-amzn-requestid": randomUUID(), ...headers },
    body: Buffer.from(JSON.stringify(body)),
  };
}

export type AwsError = {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** Further fields of the body. */
  readonly more?: object;
};

export function errorAnswer({ status, code, message, more = {} }: AwsError): Answer {
  const Type = status < 500 ? "User" : "Service";
  return jsonAnswer(
    status,
    // Some errors of Lambda's model have `Message`, some `message`.
    { __type: code, Type, Message: message, message, ...more },
    { "x-amzn-errortype": code },
  );
}

export function xmlErrorAnswer({ status, code, message }: AwsError): Answer {
  const type = status < 500 ? "Sender" : "Receiver";
  const id = randomUUID();
  const error = `<Error><Type>${type}</Type><Code>${code}</Code><Message>${message}</Message></Error>`;
  return {
    status,
    headers: { "content-type": "text/xml", "x-amzn-requestid": id },
    body: Buffer.from(`<ErrorResponse>${error}<RequestId>${id}</RequestId></ErrorResponse>`),
  };
}

/** The answer with the fields of its JSON body replaced; headers that described the old body are gone. */
export function withBody(answer: Answer, change: (body: Record<string, unknown>) => object): Answer {
  const body = change(JSON.parse(answer.body.toString("utf8")) as Record<string, unknown>);
  return { ...answer, body: Buffer.from(JSON.stringify(body)) };
}
