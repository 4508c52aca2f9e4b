import assert from "node:assert/strict";
import { once } from "node:events";
import { cpSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { Metadata } from "@grpc/grpc-js";
import { withDirectory } from "../../../test/support/directory.js";
import { runToEnd } from "../../../test/support/program.js";
import { grpcClient } from "../support/grpc.js";
import { program, TestServer } from "../support/server.js";

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number | string };
}

interface Span {
  readonly traceId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: readonly Attribute[];
}

/** The body of a request to /v1/traces, OTLP's JSON. */
interface Traces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

const SERVER_KIND = 2;

/** A receiver of OTLP over HTTP. */
async function startCollector() {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    if (request.url === "/v1/traces") bodies.push(body);
    response.setHeader("content-type", "application/json").end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, bodies, close: () => server.close() };
}

const environment = (endpoint: string) => ({
  NODE_OPTIONS: "--import torch-t5-server/tracing",
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  OTEL_BSP_EXPORT_TIMEOUT: "100000", // a slow machine is no failure
  OTEL_SERVICE_NAME: "t5",
});

const valuesOf = (attributes: readonly Attribute[]) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]));

describe("traces", () => {
  it("have a span for each request over HTTP and gRPC, in the client's trace, and are sent before the end", async () => {
    const collector = await startCollector();
    const server = await TestServer.start({}, environment(collector.url));
    const parentOf = (digit: string) => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`;
    const traced = (digit: string) => ({ headers: { traceparent: parentOf(digit) } });
    await server.json("/generate", { inputs: "spell number: 7" }, traced("a"));
    await server.fetch("/generate", { inputs: "" }, traced("b"));
    for (const path of ["/health", "/v2/health/ready", "/metrics"]) await server.fetch(path);
    const grpc = grpcClient(`127.0.0.1:${server.grpcPort}`);
    const metadata = new Metadata();
    metadata.set("traceparent", parentOf("c"));
    const inputs = [{ name: "text", datatype: "BYTES", shape: [1], contents: { bytes_contents: [Buffer.from("a")] } }];
    await grpc.call("ModelInfer", { model_name: "demo", inputs }, metadata);
    grpc.close();
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    collector.close();

    const received = collector.bodies.map((body) => JSON.parse(body) as Traces);
    const resources = received.flatMap(({ resourceSpans }) => resourceSpans);
    for (const { resource } of resources) assert.equal(valuesOf(resource.attributes)["service.name"], "t5");
    const spans = resources.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
    const served = spans.filter(({ kind }) => kind === SERVER_KIND);
    const summaries = served.map(({ name, traceId, parentSpanId, attributes }) => {
      const values = valuesOf(attributes);
      const status = values["http.response.status_code"] ?? values["rpc.grpc.status_code"];
      return [name, values["url.path"], status, traceId, parentSpanId].join(" ");
    });
    assert.deepEqual(summaries.sort(), [
      `POST /generate 200 ${"a".repeat(32)} ${"a".repeat(16)}`,
      `POST /generate 422 ${"b".repeat(32)} ${"b".repeat(16)}`,
      `grpc.inference.GRPCInferenceService/ModelInfer  0 ${"c".repeat(32)} ${"c".repeat(16)}`,
    ]);
    assert.doesNotMatch(collector.bodies.join(""), /spell number|seven/);
  });

  it("that no collector takes do not keep the server from answering and ending", async () => {
    const server = await TestServer.start({}, { ...environment("http://127.0.0.1:1"), OTEL_BSP_EXPORT_TIMEOUT: "1" });
    assert.deepEqual(await server.json("/generate", { inputs: "spell number: 7" }), { generated_text: "seven" });
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });

  it("need OpenTelemetry's packages, and state how to install them", () =>
    withDirectory(async (directory) => {
      // A copy of the program where no package is found.
      cpSync(dirname(program), join(directory, "dist"), { recursive: true });
      writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
      const tracing = pathToFileURL(join(directory, "dist", "tracing.js")).href;
      const { code, stderr } = await runToEnd(process.execPath, ["--import", tracing, "-e", ""]);
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^torch-t5-server\/tracing: Cannot find package '@opentelemetry.*; run `npm install @.*`\n$/,
      );
    }));
});
