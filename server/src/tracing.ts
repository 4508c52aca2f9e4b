// Traces with OpenTelemetry: `node --import torch-t5-server/tracing`, before the program. Its own environment variables
// (OTEL_EXPORTER_OTLP_ENDPOINT and others) configure it. The packages are the user's: the server runs without them.
import { register } from "node:module";
import process, { env, stderr } from "node:process";
import { atExit } from "./production/at-exit.js";

/** Probes and scrapes, which would be most of the spans. */
const UNTRACED = /^\/(health|v2\/health\/\w+|metrics)$/;

/** How long the end of the program waits for the last spans to be sent, in ms. */
const SHUTDOWN_MS = 3000;

const PACKAGES = ["sdk-node", "instrumentation-http", "instrumentation-grpc"].map((name) => `@opentelemetry/${name}`);

async function start(): Promise<void> {
  const { NodeSDK } = await import("@opentelemetry/sdk-node");
  const { HttpInstrumentation } = await import("@opentelemetry/instrumentation-http");
  const { GrpcInstrumentation } = await import("@opentelemetry/instrumentation-grpc");
  // Modules that are imported from now on are instrumented.
  register("@opentelemetry/instrumentation/hook.mjs", import.meta.resolve("@opentelemetry/instrumentation-http"));
  const http = new HttpInstrumentation({
    ignoreIncomingRequestHook: ({ url = "" }) => UNTRACED.test(url.split("?", 1)[0] ?? ""),
  });
  const sdk = new NodeSDK({ instrumentations: [http, new GrpcInstrumentation()] });
  sdk.start();
  atExit(() => sdk.shutdown(), Number(env.OTEL_BSP_EXPORT_TIMEOUT) || SHUTDOWN_MS);
}

try {
  await start();
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
  const reason = (error as Error).message.split("\n", 1)[0];
  stderr.write(`torch-t5-server/tracing: ${reason}; run \`npm install ${PACKAGES.join(" ")}\`\n`);
  process.exit(1);
}
