import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import fc from "fast-check";
import { after, before } from "mocha";
import { GRPC_STATUS } from "../../src/errors/codes.js";
import { type GrpcClient, grpcClient } from "../support/grpc.js";
import { useServer } from "../support/server.js";

const SEED = 20_261_127;
const RUNS = 200;
const { INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED } = GRPC_STATUS;
const UNIMPLEMENTED = 12;

const identity = (bytes: Buffer) => bytes;

describe("hostile gRPC", () => {
  const server = useServer({ logLevel: "error", limits: { bodyBytes: 100_000 } });
  let client: GrpcClient;
  let raw: Client;
  before(() => {
    const address = `127.0.0.1:${server().grpcPort}`;
    client = grpcClient(address);
    raw = new Client(address, credentials.createInsecure());
  });
  after(() => {
    client?.close();
    raw?.close();
  });

  const checkServes = async () => {
    const answer = await client.call<{ readonly raw_output_contents: readonly Buffer[] }>("ModelInfer", request());
    assert.equal(answer.raw_output_contents[0]?.length, 4 * 399);
    assert.equal(server().child.exitCode, null);
    assert.equal(server().stdout, "");
  };

  /** Sends bytes as a message. Resolves to the status. */
  const sendRaw = (method: string, bytes: Buffer): Promise<number> =>
    new Promise((resolve) => {
      const path = `/inference.GRPCInferenceService/${method}`;
      raw.makeUnaryRequest(path, identity, identity, bytes, new Metadata(), (error) => resolve(error?.code ?? 0));
    });

  const ids = (fields: object = {}) => ({ name: "input_ids", datatype: "INT64", shape: [1, 2], ...fields });
  const request = (fields: object = {}) => ({
    model_name: "demo",
    inputs: [ids({ contents: { int64_contents: [5, 1] } })],
    ...fields,
  });

  for (const [name, fields, status] of [
    ["no inputs", { inputs: [] }, INVALID_ARGUMENT],
    ["an input without elements", { inputs: [ids()] }, INVALID_ARGUMENT],
    ["a negative length", { inputs: [ids({ shape: [-1, 2] })] }, INVALID_ARGUMENT],
    ["a gigantic shape", { inputs: [ids({ shape: [2 ** 40, 2 ** 40] })] }, INVALID_ARGUMENT],
    ["no shape", { inputs: [ids({ shape: [] })] }, INVALID_ARGUMENT],
    [
      "another datatype",
      { inputs: [ids({ datatype: "FP32", contents: { fp32_contents: [1, 2] } })] },
      INVALID_ARGUMENT,
    ],
    ["the elements of another datatype", { inputs: [ids({ contents: { int_contents: [5, 1] } })] }, INVALID_ARGUMENT],
    ["raw bytes that are too short", { inputs: [ids()], raw_input_contents: [Buffer.alloc(15)] }, INVALID_ARGUMENT],
    [
      "raw bytes of another input",
      { inputs: [ids()], raw_input_contents: [Buffer.alloc(16), Buffer.alloc(1)] },
      INVALID_ARGUMENT,
    ],
    [
      "texts that are no UTF-8",
      {
        inputs: [{ name: "text", datatype: "BYTES", shape: [1], contents: { bytes_contents: [Buffer.from([0xff])] } }],
      },
      INVALID_ARGUMENT,
    ],
    ["another parameter", { parameters: { beams: { int64_param: 3 } } }, INVALID_ARGUMENT],
    ["a parameter of another type", { parameters: { top_k: { double_param: 1.5 } } }, INVALID_ARGUMENT],
    ["another model", { model_name: "nobody" }, NOT_FOUND],
    ["another version", { model_version: "7" }, NOT_FOUND],
    [
      "more rows than the limit",
      { inputs: [ids({ shape: [65, 1] })], raw_input_contents: [Buffer.alloc(65 * 8)] },
      INVALID_ARGUMENT,
    ],
    ["a larger message than the limit", { id: "a".repeat(200_000) }, RESOURCE_EXHAUSTED],
  ] as const) {
    it(`${name} is refused with status ${status}`, async () => {
      await assert.rejects(client.call("ModelInfer", request(fields)), (error: ServiceError) => error.code === status);
    });
  }

  it("errors state the library's code in their details and metadata", async () => {
    const wrong = request({ inputs: [ids({ contents: { int64_contents: [399, 1] } })] });
    await assert.rejects(client.call("ModelInfer", wrong), (error: ServiceError) => {
      assert.match(error.details, /^Expected .* \(ERR_TOKEN_OUT_OF_RANGE\)$/);
      return error.metadata.get("torch-t5-code")[0] === "ERR_TOKEN_OUT_OF_RANGE";
    });
  });

  it("random messages are answered with OK, INVALID_ARGUMENT or NOT_FOUND", async () => {
    const methods = ["ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer"];
    // The name of the model, so that some get further.
    const named = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.concat([Buffer.from("\n\u0004demo"), bytes]));
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array)),
      named,
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...methods), bytes, async (method, message) => {
        assert.ok([0, INVALID_ARGUMENT, NOT_FOUND].includes(await sendRaw(method, message)));
      }),
      { seed: SEED, numRuns: RUNS },
    );
    await checkServes();
  });

  it("methods of other servers are UNIMPLEMENTED", async () => {
    assert.equal(await sendRaw("RepositoryModelUnload", Buffer.alloc(0)), UNIMPLEMENTED);
  });

  it("garbage on the port closes the connection, and others are served", async () => {
    for (const text of [
      "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
      "\u0000\u0001\u0002garbage".repeat(100),
      // The preface of HTTP/2, then no frames.
      `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${"\u00ff".repeat(500)}`,
    ]) {
      const socket = connect(server().grpcPort, "127.0.0.1");
      socket.on("error", () => {});
      socket.resume();
      socket.write(Buffer.from(text, "latin1"));
      await once(socket, "close");
    }
    await checkServes();
  });
});
