import assert from "node:assert/strict";
import { before } from "mocha";
import type { Tensor } from "torch-t5";
import { useModel } from "../../../test/support/model.js";
import { runClient } from "../support/clients.js";
import { useServer } from "../support/server.js";

interface ReceivedTensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly bytes: string;
}

interface ReceivedError {
  readonly status: string;
  readonly message: string;
}

type Received = Readonly<Record<string, unknown>>;

const INPUT_IDS = [
  [3, 41, 7, 1],
  [9, 1, 0, 0],
];
const ATTENTION_MASK = [
  [1, 1, 1, 1],
  [1, 1, 0, 0],
];
const DECODER_INPUT_IDS = [
  [0, 64],
  [0, 63],
];
const SOURCE = { inputIds: INPUT_IDS, attentionMask: ATTENTION_MASK, decoderInputIds: DECODER_INPUT_IDS };
const TEXTS = ["spell number: 7", "date to iso: 5.3.2021 ü"];

/** A tensor of the library as tritonclient's are printed. */
function printed({ shape, data }: Tensor<Float32Array | Int32Array>): ReceivedTensor {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
  return { shape, dtype: data instanceof Int32Array ? "int32" : "float32", bytes };
}

describe("Open Inference Protocol, used by tritonclient", () => {
  const server = useServer();
  const model = useModel({ precision: "float32" });
  let received: { readonly http: Received; readonly grpc: Received };
  before(async () => {
    const { port, grpcPort } = server();
    const file = new URL("programs/triton.py", import.meta.url);
    received = await runClient(file, [`127.0.0.1:${port}`, `127.0.0.1:${grpcPort}`]);
  });

  for (const protocol of ["http", "grpc"] as const) {
    describe(protocol, () => {
      it("is live and ready", () => {
        const { live, ready, model, version } = received[protocol];
        assert.deepEqual({ live, ready, model, version }, { live: true, ready: true, model: true, version: true });
      });

      it("gives the library's logits of ids, INT64 and INT32, bit for bit", async () => {
        const expected = printed((await model().forward(SOURCE)).logits);
        assert.deepEqual(received[protocol].ids, expected);
        assert.deepEqual(received[protocol].int32, expected);
      });

      it("gives the library's logits of texts, bit for bit", async () => {
        assert.deepEqual(received[protocol].texts, printed((await model().forward(TEXTS)).logits));
      });

      it("gives the largest logits and their ids with top_k", async () => {
        const { values, indices } = await model().forward(TEXTS, { topK: 3 });
        assert.deepEqual(received[protocol].values, printed(values));
        assert.deepEqual(received[protocol].indices, printed(indices));
      });

      it("selects positions and tokens", async () => {
        const { logits } = await model().forward(SOURCE, { positions: "last", tokens: [64, 63, 1] });
        assert.deepEqual(received[protocol].selected, printed(logits));
      });

      it("gives hidden states", async () => {
        const states = await model().forward(SOURCE, { hiddenStates: true });
        assert.deepEqual(received[protocol].states, printed(states.encoderLastHiddenState));
        assert.deepEqual(received[protocol].decoder_states, printed(states.decoderLastHiddenState));
      });

      it("refuses what it cannot compute, with the library's codes", () => {
        const error = (name: string) => received[protocol][name] as ReceivedError;
        const isGrpc = protocol === "grpc";
        assert.match(error("unknown_model").message, /ERR_NOT_FOUND/);
        assert.equal(error("unknown_model").status, isGrpc ? "StatusCode.NOT_FOUND" : "404");
        for (const name of ["unknown_output", "wrong_type"]) {
          assert.match(error(name).message, /ERR_INVALID_ARGUMENT/);
          assert.equal(error(name).status, isGrpc ? "StatusCode.INVALID_ARGUMENT" : "400");
        }
        assert.match(error("wrong_id").message, /ERR_TOKEN_OUT_OF_RANGE/);
        assert.equal(error("wrong_id").status, isGrpc ? "StatusCode.INVALID_ARGUMENT" : "400");
      });
    });
  }

  it("gives the same bits in JSON", async () => {
    assert.deepEqual(received.http.json, printed((await model().forward(SOURCE)).logits));
  });

  it("describes the server and the model, over HTTP as over gRPC", () => {
    const { server, metadata } = received.http as Record<string, Record<string, unknown>>;
    assert.equal(server?.name, "torch-t5-server");
    assert.deepEqual(received.grpc.server, server);
    // gRPC's JSON has 64-bit integers as texts.
    const asNumbers = JSON.parse(JSON.stringify(received.grpc.metadata).replace(/"(-?\d+)"(?=[,\]])/g, "$1"));
    assert.deepEqual({ ...asNumbers, versions: ["1"] }, metadata);
    assert.deepEqual(metadata?.versions, ["1"]);
  });
});

describe("Open Inference Protocol over HTTP", () => {
  const server = useServer();
  const model = useModel({ precision: "float32" });
  const infer = (body: unknown) => server().fetch("/v2/models/demo/infer", body);
  const ids = (fields: object) => ({ name: "input_ids", datatype: "INT64", shape: [1, 2], data: [5, 1], ...fields });

  it("takes nested data, and gives back the id", async () => {
    const body = {
      id: "abc",
      inputs: [
        ids({
          shape: [2, 2],
          data: [
            [5, 1],
            [7, 1],
          ],
        }),
      ],
    };
    const answer = await server().json<{ id: string; model_version: string; outputs: readonly { data: number[] }[] }>(
      "/v2/models/demo/versions/1/infer",
      body,
    );
    const { logits } = await model().forward({
      inputIds: [
        [5, 1],
        [7, 1],
      ],
    });
    assert.deepEqual([answer.id, answer.model_version], ["abc", "1"]);
    assert.deepEqual(answer.outputs[0]?.data, Array.from(logits.data));
  });

  for (const [name, body, code] of [
    ["no inputs", { inputs: [] }, "ERR_INVALID_ARGUMENT"],
    ["a shape that is a text", { inputs: [ids({ shape: "-1" })] }, "ERR_INVALID_ARGUMENT"],
    ["a negative length", { inputs: [ids({ shape: [1, -1] })] }, "ERR_INVALID_ARGUMENT"],
    ["a shape of other elements", { inputs: [ids({ shape: [1, 3] })] }, "ERR_INVALID_ARGUMENT"],
    ["a gigantic shape", { inputs: [ids({ shape: [2 ** 31, 2 ** 31] })] }, "ERR_INVALID_ARGUMENT"],
    ["a shape of one axis", { inputs: [ids({ shape: [2] })] }, "ERR_INVALID_ARGUMENT"],
    ["a number that is no integer", { inputs: [ids({ data: [1.5, 1] })] }, "ERR_INVALID_ARGUMENT"],
    ["an id over 32 bits", { inputs: [ids({ data: [2 ** 40, 1] })] }, "ERR_TOKEN_OUT_OF_RANGE"],
    ["an id that the vocabulary lacks", { inputs: [ids({ data: [399, 1] })] }, "ERR_TOKEN_OUT_OF_RANGE"],
    ["another datatype", { inputs: [ids({ datatype: "FP32" })] }, "ERR_INVALID_ARGUMENT"],
    ["another input", { inputs: [ids({ name: "pixels" })] }, "ERR_INVALID_ARGUMENT"],
    ["an input twice", { inputs: [ids({}), ids({})] }, "ERR_INVALID_ARGUMENT"],
    [
      "ids and texts",
      { inputs: [ids({}), { name: "text", datatype: "BYTES", shape: [1], data: ["a"] }] },
      "ERR_INVALID_ARGUMENT",
    ],
    [
      "a matrix of texts",
      { inputs: [{ name: "text", datatype: "BYTES", shape: [1, 2], data: ["a", "b"] }] },
      "ERR_INVALID_ARGUMENT",
    ],
    ["a parameter of another server", { inputs: [ids({})], parameters: { beams: 3 } }, "ERR_INVALID_ARGUMENT"],
    ["top_k over the vocabulary", { inputs: [ids({})], parameters: { top_k: 400 } }, "ERR_INVALID_ARGUMENT"],
    ["indices without top_k", { inputs: [ids({})], outputs: [{ name: "indices" }] }, "ERR_INVALID_ARGUMENT"],
    ["more rows than the limit", { inputs: [ids({ shape: [65, 1], data: Array(65).fill(1) })] }, "ERR_LIMIT"],
    ["more tokens than the limit", { inputs: [ids({ shape: [1, 4097], data: Array(4097).fill(1) })] }, "ERR_LIMIT"],
    ["data and a binary size", { inputs: [ids({ parameters: { binary_data_size: 16 } })] }, "ERR_INVALID_ARGUMENT"],
  ] as const) {
    it(`refuses ${name}`, async () => {
      const response = await infer(body);
      const answer = (await response.json()) as { readonly error: string; readonly code: string };
      assert.equal(response.status, 400);
      assert.equal(answer.code, code);
      assert.match(answer.error, /^Expected .* but received .* \(ERR_\w+\)$/);
    });
  }

  it("refuses binary data that is too short, too long, or longer than stated", async () => {
    const head = (size: number) =>
      JSON.stringify({ inputs: [{ ...ids({ data: undefined }), parameters: { binary_data_size: size } }] });
    for (const [size, tail, length] of [
      [16, 15, 0],
      [16, 17, 0],
      [15, 15, 0],
      [16, 16, 1000],
      [16, 16, -1],
    ] as const) {
      const json = head(size);
      const body = Buffer.concat([Buffer.from(json), Buffer.alloc(tail)]);
      const response = await fetch(`${server().url}/v2/models/demo/infer`, {
        method: "POST",
        body,
        headers: { "inference-header-content-length": String(length === 0 ? json.length : length) },
      });
      assert.equal(response.status, 400, `${size} ${tail} ${length}`);
      assert.match(await response.text(), /ERR_INVALID_ARGUMENT/);
    }
  });

  it("reports unknown models and versions with 404", async () => {
    for (const path of [
      "/v2/models/nobody",
      "/v2/models/nobody/ready",
      "/v2/models/demo/versions/2",
      "/v2/models/a%2fb",
    ]) {
      assert.equal((await server().fetch(path)).status, 404, path);
    }
  });
});

describe("the generate extension", () => {
  const server = useServer();
  const model = useModel({ precision: "float32" });
  const TEXT = "spell number: 48213";
  type Answer = { readonly text_output: string; readonly finish_reason?: string };

  it("generates the library's text", async () => {
    const { texts } = await model().generate(TEXT, { numBeams: 3 });
    const body = { text_input: TEXT, parameters: { num_beams: 3 } };
    const answer = await server().json<Answer>("/v2/models/demo/generate", body);
    assert.deepEqual([answer.text_output, answer.finish_reason], [texts?.[0], "eos"]);
  });

  it("stops at max_tokens and at stop strings", async () => {
    const generate = (parameters: object) =>
      server().json<Answer>("/v2/models/demo/generate", { text_input: TEXT, parameters });
    assert.equal((await generate({ max_tokens: 2 })).finish_reason, "length");
    assert.equal((await generate({ stop: ["thousand"] })).finish_reason, "stop");
  });

  it("streams the library's tokens as server-sent events", async () => {
    const expected: Answer[] = [];
    for await (const { text, finishReason } of model().stream(TEXT)) {
      expected.push({ text_output: text, ...(finishReason && { finish_reason: finishReason }) });
    }
    const response = await server().fetch("/v2/models/demo/generate_stream", { text_input: TEXT });
    assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
    const events = (await response.text()).trimEnd().split("\n\n");
    const received = events.map((event) => {
      const { model_name, model_version, ...rest } = JSON.parse(event.replace(/^data: /, ""));
      return rest;
    });
    assert.deepEqual(received, expected);
  });

  it("refuses options that the library refuses, and those that are no parameters, before the stream begins", async () => {
    for (const path of ["generate", "generate_stream"]) {
      for (const parameters of [{ num_beams: "3" }, { nothing: 1 }, { temperature: 2 }, { return_logits: true }]) {
        const response = await server().fetch(`/v2/models/demo/${path}`, { text_input: TEXT, parameters });
        assert.equal(response.status, 400, JSON.stringify(parameters));
        assert.equal(((await response.json()) as { code: string }).code, "ERR_INVALID_ARGUMENT");
      }
    }
  });
});
