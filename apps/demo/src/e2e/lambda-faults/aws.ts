/**
 * What stands on AWS, asked around the proxy and with none of our code: what C-fault's checks compare. And what somebody
 * else has put there.
 */
import { CreateRoleCommand, IAMClient } from "@aws-sdk/client-iam";

export const REGION = "eu-central-1";

type Json = Readonly<Record<string, unknown>>;

export type Version = {
  readonly version: string;
  readonly codeSha256: string;
  /** What makes it another one: code and configuration, without what AWS chooses. */
  readonly content: string;
};

export type FunctionState = {
  readonly tags: Readonly<Record<string, string>>;
  readonly reserved: number | undefined;
  /** Numbered ones, the oldest first. */
  readonly versions: readonly Version[];
  /** By name. */
  readonly aliases: Readonly<Record<string, string>>;
  /** All of it as AWS tells it, to be compared as it is. */
  readonly picture: string;
};

const CONTENT = [
  ...["CodeSha256", "Runtime", "Role", "Handler", "Timeout", "MemorySize", "Environment", "Architectures"],
] as const;

/** Of an archive with nothing in it: nobody calls what it is the code of. */
const EMPTY_ZIP = Buffer.from(`504b0506${"00".repeat(18)}`, "hex").toString("base64");

const MAY_BE_ASSUMED = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" }],
});

export class Aws {
  readonly #target: string;

  /** `http://127.0.0.1:4566` */
  constructor(target: string) {
    this.#target = target;
  }

  /** Undefined: there is none of that name. */
  async look(name: string, signal: AbortSignal): Promise<FunctionState | undefined> {
    const found = await this.#ask("GET", `/functions/${name}`, signal);
    if (found === undefined) return undefined;
    const listed = await this.#ask("GET", `/functions/${name}/versions?MaxItems=1000`, signal);
    const aliased = await this.#ask("GET", `/functions/${name}/aliases?MaxItems=1000`, signal);
    // It went between these looks.
    if (listed === undefined || aliased === undefined) return undefined;
    const { Configuration: configuration, Tags: tags, Concurrency: concurrency } = found;
    const versions = (listed["Versions"] as Json[]).filter(({ Version }) => Version !== "$LATEST");
    const aliases = aliased["Aliases"] as Json[];
    return {
      tags: (tags ?? {}) as Record<string, string>,
      reserved: (concurrency as { ReservedConcurrentExecutions?: number } | undefined)
        ?.ReservedConcurrentExecutions,
      versions: versions.map((each) => ({
        version: String(each["Version"]),
        codeSha256: String(each["CodeSha256"]),
        content: JSON.stringify(CONTENT.map((field) => each[field] ?? null)),
      })),
      aliases: Object.fromEntries(
        aliases.map(({ Name, FunctionVersion }) => [String(Name), String(FunctionVersion)]),
      ),
      picture: JSON.stringify({ configuration, tags, concurrency, versions, aliases }),
    };
  }

  /** What others have made, with a version and an alias of it. */
  async put(name: string, tags: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    await this.#ask("POST", "/functions", signal, {
      ...{ FunctionName: name, Runtime: "nodejs22.x", Handler: "index.handler", Timeout: 3 },
      Role: "arn:aws:iam::000000000000:role/somebody-elses",
      Code: { ZipFile: EMPTY_ZIP },
      ...(Object.keys(tags).length === 0 ? {} : { Tags: tags }),
    });
  }

  async publish(name: string, signal: AbortSignal): Promise<void> {
    await this.#ask("POST", `/functions/${name}/versions`, signal, {});
    await this.#ask("POST", `/functions/${name}/aliases`, signal, { Name: "live", FunctionVersion: "1" });
  }

  async remove(name: string, signal: AbortSignal): Promise<void> {
    await this.#ask("DELETE", `/functions/${name}`, signal);
  }

  /** Whether it is made, and no update of it is under way. */
  async isActive(name: string, signal: AbortSignal): Promise<boolean> {
    const found = await this.#ask("GET", `/functions/${name}/configuration`, signal);
    return found?.["State"] === "Active" && found["LastUpdateStatus"] !== "InProgress";
  }

  /** Names of all functions that begin so. */
  async namesOf(prefix: string, signal: AbortSignal): Promise<readonly string[]> {
    const names: string[] = [];
    for (let marker = ""; ;) {
      const page = await this.#ask("GET", `/functions?MaxItems=50${marker}`, signal);
      for (const { FunctionName } of (page?.["Functions"] ?? []) as Json[])
        if (String(FunctionName).startsWith(prefix)) names.push(String(FunctionName));
      const next = page?.["NextMarker"];
      if (typeof next !== "string" || next === "") return names;
      marker = `&Marker=${encodeURIComponent(next)}`;
    }
  }

  /** Its ARN. */
  async createRole(name: string, signal: AbortSignal): Promise<string> {
    // It takes any credentials; the SDK wants some.
    const credentials = { accessKeyId: "stand-in", secretAccessKey: "stand-in" };
    const iam = new IAMClient({ region: REGION, endpoint: this.#target, credentials });
    try {
      const wanted = { RoleName: name, AssumeRolePolicyDocument: MAY_BE_ASSUMED };
      const { Role } = await iam.send(new CreateRoleCommand(wanted), { abortSignal: signal });
      return Role?.Arn ?? "";
    } finally {
      iam.destroy();
    }
  }

  /** Undefined: 404. */
  async #ask(
    method: string,
    path: string,
    signal: AbortSignal,
    body?: object,
  ): Promise<Readonly<Record<string, unknown>> | undefined> {
    // Account and region are in what signs a request; nobody looks at the signature.
    const scope = `stand-in/20260101/${REGION}/lambda/aws4_request`;
    const response = await fetch(`${this.#target}/2015-03-31${path}`, {
      method,
      headers: {
        authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0`,
        "content-type": "application/json",
      },
      signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.status === 404) return undefined;
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? {} : (JSON.parse(text) as Json);
  }
}
