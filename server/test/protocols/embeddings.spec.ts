import assert from "node:assert/strict";
import { InferenceClient } from "@huggingface/inference";
import { before } from "mocha";
import {
  demoModel,
  type ScoreOptions,
  T5EncoderModel,
  T5ForSequenceClassification,
  T5ForTokenClassification,
} from "torch-t5";
import { useModel } from "../../../test/support/model.js";
import { Reference } from "../../../test/support/reference.js";
import { TestServer, useServer } from "../support/server.js";

const QUERY = "doctor of Thornby";
const TEXTS = [
  "In Thornby the flag is brown. Its market day is Friday.",
  "In Thornby the flag is brown. Its doctor is Mona.",
  "In Wickham the doctor is Ada.",
];

describe("text-embeddings-inference", () => {
  const server = useServer();
  const model = useModel({ precision: "float32" });
  const rowsOf = (embeddings: Awaited<ReturnType<ReturnType<typeof model>["embed"]>>) =>
    Array.from({ length: embeddings.shape[0] ?? 0 }, (_, row) => Array.from(embeddings.row(row)));

  it("embeds a text or several, scaled to length 1 unless normalize is false", async () => {
    const scaled = rowsOf(await model().embed(TEXTS, { normalize: true }));
    assert.deepEqual(await server().json("/embed", { inputs: TEXTS }), scaled);
    assert.deepEqual(await server().json("/embed", { inputs: TEXTS[0] }), scaled.slice(0, 1));
    const raw = rowsOf(await model().embed(TEXTS));
    assert.deepEqual(await server().json("/embed", { inputs: TEXTS, normalize: false }), raw);
  });

  it("ranks texts as the library does", async () => {
    const ranked = await model().rerank(QUERY, TEXTS);
    assert.deepEqual(
      await server().json("/rerank", { query: QUERY, texts: TEXTS, return_text: true }),
      ranked.map(({ index, probability, document }) => ({ index, score: probability, text: document })),
    );
    assert.deepEqual(
      await server().json("/rerank", { query: QUERY, texts: TEXTS, raw_scores: true }),
      ranked.map(({ index, score }) => ({ index, score })),
    );
  });

  it("refuses a text over the limit, unless it may be truncated", async () => {
    const inputs = "a ".repeat(5000);
    const refused = await server().fetch("/embed", { inputs });
    assert.deepEqual([refused.status, ((await refused.json()) as { code: string }).code], [422, "ERR_LIMIT"]);
    const { maxLength } = { maxLength: 4096 };
    const truncated = rowsOf(await model().embed({ text: inputs, maxLength }, { normalize: true }));
    assert.deepEqual(await server().json("/embed", { inputs, truncate: true }), truncated);
  });

  for (const [path, body] of [
    ["/embed", {}],
    ["/embed", { inputs: [] }],
    ["/embed", { inputs: [1] }],
    ["/embed", { inputs: "a", normalise: true }],
    ["/embed", { inputs: "a", truncation_direction: "left" }],
    ["/embed", { inputs: "a", prompt_name: "query" }],
    ["/rerank", { query: "a", texts: [] }],
    ["/rerank", { texts: ["a"] }],
    ["/rerank", { query: "a", texts: "b" }],
  ] as const) {
    it(`refuses ${JSON.stringify(body)} at ${path} with 422`, async () => {
      const response = await server().fetch(path, body);
      const answer = (await response.json()) as { readonly error: string; readonly error_type: string; code: string };
      assert.deepEqual([response.status, answer.error_type, answer.code], [422, "validation", "ERR_INVALID_ARGUMENT"]);
      assert.match(answer.error, /^Expected/);
    });
  }

  it("answers /predict with 404 where no model classifies", async () => {
    const response = await server().fetch("/predict", { inputs: "a" });
    assert.equal(response.status, 404);
  });
});

describe("/score", () => {
  const server = useServer();
  const model = useModel({ precision: "float32" });
  type Scores = { readonly scores: readonly Readonly<Record<string, unknown>>[] };

  it("gives the library's log-probabilities of texts and ids", async () => {
    const source = "spell number: 7";
    for (const targets of [
      ["seven", "six"],
      [[64, 1], [62]],
    ]) {
      for (const options of [{}, { reduction: "mean" }, { reduction: "none" }] as readonly ScoreOptions[]) {
        const expected = await model().score(source, targets as string[], options);
        const { scores } = await server().json<Scores>("/score", { source, targets, ...options });
        assert.deepEqual(
          scores,
          expected.map(({ score, logProbs, ids }) => ({
            ...(score !== undefined && { score }),
            logProbs: Array.from(logProbs),
            ids: Array.from(ids),
          })),
        );
      }
    }
  });

  it("refuses no targets, wrong ids and unknown fields", async () => {
    const source = "a";
    for (const [body, code] of [
      [{ source, targets: [] }, "ERR_INVALID_ARGUMENT"],
      [{ source, targets: [[]] }, "ERR_INVALID_ARGUMENT"],
      [{ source, targets: [[400]] }, "ERR_TOKEN_OUT_OF_RANGE"],
      [{ source, targets: ["b"], batchSize: 0 }, "ERR_INVALID_ARGUMENT"],
      [{ source, targets: Array(65).fill("b") }, "ERR_LIMIT"],
      [{ targets: ["b"] }, "ERR_INVALID_ARGUMENT"],
    ] as const) {
      const response = await server().fetch("/score", body);
      assert.deepEqual([response.status, ((await response.json()) as { code: string }).code], [400, code]);
    }
  });
});

describe("models of other kinds", () => {
  let reference: Reference;
  let server: TestServer;
  const directories: Record<"texts" | "tokens" | "sentences", string> = { texts: "", tokens: "", sentences: "" };
  before(async function () {
    this.timeout(300_000);
    reference = new Reference();
    const make = async (op: string, fields: Record<string, unknown>) =>
      (await reference.request<{ readonly directory: string }>(op, { seed: 3, tokenizer: demoModel, ...fields }))
        .directory;
    directories.texts = await make("makeClassifier", { family: "t5", form: "texts" });
    directories.tokens = await make("makeClassifier", { family: "t5", form: "tokens" });
    directories.sentences = await make("makeSentences", { name: "every pooling", number: 0 });
    const settings = { precision: "float32", device: "cpu", intraOpThreads: 1 };
    const models = Object.entries(directories).map(([name, path]) => ({ name, path, ...settings }));
    server = await TestServer.start({ models });
  });
  after(async () => {
    await server?.stop();
    await reference?.close();
  });

  it("classifies texts at /predict", async () => {
    await using t5 = await T5ForSequenceClassification.fromPretrained(directories.texts, { precision: "float32" });
    const [first, second] = await t5.classify(["seven", "six"]);
    const plain = (labels: typeof first) => labels?.map(({ score, label }) => ({ score, label }));
    assert.deepEqual(await server.json("/predict", { inputs: "seven" }), plain(first));
    assert.deepEqual(await server.json("/predict", { inputs: ["seven"] }), plain(first));
    assert.deepEqual(await server.json("/predict", { inputs: [["seven"], ["six"]] }), [plain(first), plain(second)]);
    const raw = await t5.classify("six", { functionToApply: "none" });
    assert.deepEqual(await server.json("/predict", { inputs: "six", raw_scores: true }), plain(raw));
    const client = new InferenceClient("none", { endpointUrl: `${server.url}/predict` });
    const inputs = [["six"]] as unknown as string; // the client's answer is a batch's
    assert.deepEqual(await client.textClassification({ inputs }), plain(second));
  });

  it("refuses pairs of texts", async () => {
    assert.equal((await server.fetch("/predict", { inputs: ["a", "b"] })).status, 422);
    assert.equal((await server.fetch("/predict", { inputs: [["a", "b"]] })).status, 422);
  });

  it("embeds with the prompts of a sentence-transformers directory", async () => {
    await using t5 = await T5EncoderModel.fromPretrained(directories.sentences, { precision: "float32" });
    const [promptName = ""] = Object.keys(t5.embeddingConfig?.prompts ?? {});
    const expected = await t5.embed("seven", { promptName, normalize: true });
    assert.deepEqual(await server.json("/embed", { inputs: "seven", prompt_name: promptName }), [
      Array.from(expected.data),
    ]);
    const unknown = await server.fetch("/embed", { inputs: "seven", prompt_name: "nothing" });
    assert.equal(unknown.status, 422);
  });

  it("infers with each kind", async () => {
    const infer = async (name: string, outputs?: readonly string[]) => {
      const inputs = [{ name: "text", datatype: "BYTES", shape: [1], data: ["seven"] }];
      const body = { inputs, ...(outputs && { outputs: outputs.map((output) => ({ name: output })) }) };
      type Answer = { readonly outputs: readonly { readonly name: string; readonly data: readonly number[] }[] };
      return (await server.json<Answer>(`/v2/models/${name}/infer`, body)).outputs.map((output) => output.data);
    };
    await using texts = await T5ForSequenceClassification.fromPretrained(directories.texts, { precision: "float32" });
    assert.deepEqual(await infer("texts"), [Array.from((await texts.forward("seven")).logits.data)]);
    await using tokens = await T5ForTokenClassification.fromPretrained(directories.tokens, { precision: "float32" });
    assert.deepEqual(await infer("tokens"), [Array.from((await tokens.forward("seven")).logits.data)]);
    await using encoder = await T5EncoderModel.fromPretrained(directories.sentences, { precision: "float32" });
    const { lastHiddenState } = await encoder.forward("seven");
    assert.deepEqual(await infer("sentences"), [Array.from(lastHiddenState.data)]);
    assert.deepEqual(await infer("sentences", ["embeddings"]), [Array.from((await encoder.embed("seven")).data)]);
  });

  it("refuses what a kind cannot do", async () => {
    for (const [path, body] of [
      ["/generate", { inputs: "a", model: "texts" }],
      ["/predict", { inputs: "a", model: "sentences" }],
      ["/embed", { inputs: "a", model: "tokens" }],
    ] as const) {
      const response = await server.fetch(path, body);
      assert.equal(response.status, 422, path);
    }
    assert.equal((await server.fetch("/generate", { inputs: "a" })).status, 404);
    const inputs = [{ name: "decoder_input_ids", datatype: "INT64", shape: [1, 1], data: [0] }];
    assert.equal((await server.fetch("/v2/models/texts/infer", { inputs })).status, 400);
  });
});

describe("the OpenAPI document", () => {
  const server = useServer();

  it("has every route with the schema of its body, and a page", async () => {
    const { openapi, paths } = await server().json<{
      readonly openapi: string;
      readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly requestBody?: unknown }>>>>;
    }>("/docs/json");
    assert.equal(openapi, "3.1.0");
    const posts = Object.entries(paths).filter(([, { post }]) => post !== undefined);
    assert.deepEqual(
      posts.filter(([, { post }]) => post?.requestBody === undefined).map(([path]) => path),
      [],
    );
    for (const path of ["/embed", "/generate", "/score", "/v1/completions", "/v2/models/{model}/infer"]) {
      assert.ok(
        posts.some(([found]) => found === path),
        path,
      );
    }
    const page = await server().fetch("/docs/");
    assert.equal(page.status, 200);
    assert.doesNotMatch(await page.text(), /(?:src|href)="https?:/);
  });
});
