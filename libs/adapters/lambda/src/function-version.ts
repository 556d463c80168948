/**
 * One published version of a function, called. The number in a binding is an address, and the content is what the epoch
 * names (R6): where the number is gone, a version of the same content is looked for.
 */
import { InvokeCommand, type LambdaClient, paginateListVersionsByFunction } from "@aws-sdk/client-lambda";
import type { Log } from "@greco/ports";
import { type Answer, FunctionCallError, readAnswer, readError } from "./answer.ts";
import type { FunctionBinding } from "./binding.ts";
import { configHashOf } from "@greco/domain/epoch";
import { settingsOf } from "./configuration.ts";
import { Places } from "./places.ts";
import { unlessAborted } from "./waiting.ts";

type Address = { readonly arn: string; readonly version: string };

export type FunctionVersionDependencies = {
  readonly client: LambdaClient;
  readonly log: Log;
  /** The host's. */
  readonly life: AbortSignal;
};

export class FunctionVersion {
  readonly #client: LambdaClient;
  readonly #log: Log;
  readonly #life: AbortSignal;
  readonly #content: Pick<FunctionBinding, "codeSha256" | "configHash">;
  readonly #places: Places;
  #address: Address;
  #finding: Promise<Address> | undefined;

  constructor(
    { client, log, life }: FunctionVersionDependencies,
    { qualifiedArn, codeSha256, configHash, concurrency }: FunctionBinding,
  ) {
    const colon = qualifiedArn.lastIndexOf(":");
    this.#client = client;
    this.#log = log;
    this.#life = life;
    this.#content = { codeSha256, configHash };
    this.#places = new Places(concurrency);
    this.#address = { arn: qualifiedArn.slice(0, colon), version: qualifiedArn.slice(colon + 1) };
  }

  /** Calls under way at most; of the bindings that name it the newest one's. */
  set concurrency(limit: number) {
    this.#places.limit = limit;
  }

  /** Waits for a place. Rejects with the signal's reason, or with a `FunctionCallError`. */
  async call(request: string, messages: number, signal: AbortSignal): Promise<Answer> {
    await this.#places.take(signal);
    try {
      const address = this.#address;
      const answer = await this.#invoke(address, request, messages, signal);
      if (answer !== undefined) return answer;
      const found = await this.#find(address, signal);
      const second = await this.#invoke(found, request, messages, signal);
      if (second !== undefined) return second;
      throw new FunctionCallError(`${nameOf(found)} is not found, and was a moment ago`);
    } finally {
      this.#places.leave();
    }
  }

  /** Undefined: it is not there. */
  async #invoke(
    address: Address,
    request: string,
    messages: number,
    signal: AbortSignal,
  ): Promise<Answer | undefined> {
    const { arn, version } = address;
    const command = new InvokeCommand({
      FunctionName: arn,
      Qualifier: version,
      Payload: Buffer.from(request),
    });
    let output;
    try {
      output = await this.#client.send(command, { abortSignal: signal });
    } catch (error) {
      signal.throwIfAborted();
      return readError(error, nameOf(address));
    }
    if (output.ExecutedVersion !== version)
      throw new FunctionCallError(
        `${nameOf(address)} was called, and version ${output.ExecutedVersion ?? "(unknown)"} was executed`,
      );
    return readAnswer(output, messages);
  }

  /** One look for all who miss the same. */
  async #find(missed: Address, signal: AbortSignal): Promise<Address> {
    if (this.#address !== missed) return this.#address;
    this.#finding ??= this.#look(missed).finally(() => (this.#finding = undefined));
    return unlessAborted(this.#finding, signal);
  }

  async #look({ arn, version }: Address): Promise<Address> {
    const { codeSha256, configHash } = this.#content;
    let found: string | undefined;
    try {
      const pages = paginateListVersionsByFunction(
        { client: this.#client },
        { FunctionName: arn },
        { abortSignal: this.#life },
      );
      for await (const { Versions = [] } of pages)
        for (const each of Versions)
          if (
            each.Version !== "$LATEST" &&
            each.CodeSha256 === codeSha256 &&
            configHashOf(settingsOf(each)) === configHash
          )
            found = each.Version;
    } catch (error) {
      this.#life.throwIfAborted();
      const refused = readError(error, arn);
      if (refused !== undefined)
        throw new FunctionCallError(`${arn}:${version} is not found, and AWS takes no question`, {
          cause: error,
        });
    }
    if (found === undefined)
      throw new FunctionCallError(
        `${arn}:${version} is not found, and no other version has its content: run greco repair`,
      );
    this.#log.info("lambda.version-found", { arn, gone: version, found });
    this.#address = { arn, version: found };
    return this.#address;
  }
}

const nameOf = ({ arn, version }: Address): string => `${arn}:${version}`;
