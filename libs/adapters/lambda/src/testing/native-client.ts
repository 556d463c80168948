// Preloaded into AWS's runtime client where its own transport, which is C++ and built at install, is not there: the
// same three requests by node:http. Everything else that runs is AWS's.
import { request } from "node:http";
import { registerHooks } from "node:module";

const [host, port] = (process.env["AWS_LAMBDA_RUNTIME_API"] ?? "").split(":");

function post(path: string, body: string): void {
  request({ host, port, path: `/2018-06-01/runtime/invocation/${path}`, method: "POST" }, (response) =>
    response.resume(),
  ).end(body);
}

Object.assign(globalThis, {
  grecoNativeClient: {
    done: (id: string, body: string) => post(`${id}/response`, body),
    error: (id: string, body: string) => post(`${id}/error`, body),
  },
});

registerHooks({
  resolve(specifier, context, next) {
    if (!specifier.endsWith("rapid-client.node")) return next(specifier, context);
    return { url: "greco:native-client", format: "commonjs", shortCircuit: true };
  },
  load(url, context, next) {
    if (url !== "greco:native-client") return next(url, context);
    return {
      format: "commonjs",
      source: "module.exports = globalThis.grecoNativeClient",
      shortCircuit: true,
    };
  },
});
