// Traces with OpenTelemetry: `node --import torch-t5-server/tracing`, before the program. Its own environment variables
// (OTEL_EXPORTER_OTLP_ENDPOINT and others) configure it. The packages are the user's: the server runs without them.
import { register } from "node:module";
import { GrpcInstrumentation } from "@opentelemetry/instrumentation-grpc";
import { HttpInstrumentation } from "@opentelemetry/instrumentation-http";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { atExit } from "./production/at-exit.js";

/** Probes and scrapes, which would be most of the spans. */
const UNTRACED = /^\/(health|v2\/health\/\w+|metrics)$/;

// Modules that are imported from now on are instrumented.
register("@opentelemetry/instrumentation/hook.mjs", import.meta.resolve("@opentelemetry/instrumentation-http"));
const http = new HttpInstrumentation({
  ignoreIncomingRequestHook: ({ url = "" }) => UNTRACED.test(url.split("?", 1)[0] ?? ""),
});
const sdk = new NodeSDK({ instrumentations: [http, new GrpcInstrumentation()] });
sdk.start();
atExit(() => sdk.shutdown());
