import assert from "node:assert/strict";
import { InferenceClient } from "@huggingface/inference";
import { before } from "mocha";
import { useModel } from "../../../test/support/model.js";
import { runClient } from "../support/clients.js";
import { useServer } from "../support/server.js";

const TEXT = "spell number: 48213";

interface Token {
  readonly id: number;
  readonly text: string;
  readonly logprob: number;
  readonly special: boolean;
}

interface Answer {
  readonly generated_text: string;
  readonly details: {
    readonly finish_reason: string;
    readonly generated_tokens: number;
    readonly seed: number | null;
    readonly prefill: readonly unknown[];
    readonly tokens: readonly Token[];
    readonly top_tokens: readonly (readonly Token[])[];
  };
}

interface Received {
  readonly answer: Answer;
  readonly sampled: Answer;
  readonly stopped: Answer;
  readonly stream: readonly { readonly token: Token; readonly generated_text: string | null }[];
  readonly refused: string | null;
}

describe("text-generation-inference, used by its client text-generation", () => {
  const server = useServer();
  const model = useModel({ precision: "float32" });
  let received: Received;
  before(async () => {
    received = await runClient(new URL("programs/text_generation_client.py", import.meta.url), [server().url]);
  });

  it("generates the library's text, with the log-probabilities of its tokens", async () => {
    const { texts, lengths } = await model().generate(TEXT);
    const { generated_text, details } = received.answer;
    assert.equal(generated_text, texts?.[0]);
    assert.deepEqual([details.finish_reason, details.generated_tokens], ["eos_token", lengths[0]]);
    const [scored] = await model().score(TEXT, [generated_text]);
    assert.deepEqual(
      details.tokens.map(({ id }) => id),
      Array.from(scored?.ids ?? []),
    );
    // The decoder runs step by step here, and over all positions at once there: the same bits are not promised.
    details.tokens.forEach(({ logprob }, index) => {
      assert.ok(Math.abs(logprob - (scored?.logProbs[index] ?? 0)) < 1e-4);
    });
    const text = details.tokens.map((token) => (token.special ? "" : token.text)).join("");
    assert.equal(text, generated_text);
    assert.deepEqual(details.prefill, [{ id: 0, text: "<pad>", logprob: null }]);
    assert.deepEqual(
      details.top_tokens.map(([best]) => best?.id),
      details.tokens.map(({ id }) => id),
    );
  });

  it("samples with a seed as the library does", async () => {
    const options = { doSample: true, temperature: 0.7, topK: 5, seed: 11, maxNewTokens: 16 };
    const { texts } = await model().generate(TEXT, options);
    assert.equal(received.sampled.generated_text, texts?.[0]);
    assert.equal(received.sampled.details.seed, 11);
  });

  it("ends with a stop sequence", () => {
    assert.equal(received.stopped.details.finish_reason, "stop_sequence");
    assert.equal(received.stopped.generated_text, "forty-eight thousand");
  });

  it("streams the same tokens", () => {
    assert.deepEqual(
      received.stream.map(({ token }) => token),
      received.answer.details.tokens,
    );
    assert.equal(received.stream.at(-1)?.generated_text, received.answer.generated_text);
  });

  it("refuses with the client's own error", () => {
    assert.match(received.refused ?? "", /Expected at most 1024 for maxNewTokens but received 100000/);
  });
});

describe("text-generation-inference", () => {
  const server = useServer();

  it("answers / as /generate, in an array, or as a stream", async () => {
    const inputs = "spell number: 7";
    assert.deepEqual(await server().json("/", { inputs }), [{ generated_text: "seven" }]);
    assert.deepEqual(await server().json("/generate", { inputs }), { generated_text: "seven" });
    const response = await server().fetch("/", { inputs, stream: true });
    assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
    assert.match(await response.text(), /^data:\{"index":1,.*"generated_text":"seven"/s);
  });

  it("gives the tokens of a stream log-probabilities only if details or top_n_tokens ask for them", async () => {
    const tokensOf = async (parameters: object) => {
      const response = await server().fetch("/generate_stream", { inputs: TEXT, parameters });
      const events = (await response.text()).split("\n\n").filter((event) => event !== "");
      return events.map((event) => JSON.parse(event.slice("data:".length)) as { token: Token; top_tokens?: Token[] });
    };
    const plain = await tokensOf({});
    assert.ok(plain.every(({ token }) => token.logprob === null));
    const detailed = await tokensOf({ details: true });
    assert.ok(detailed.every(({ token, top_tokens }) => token.logprob < 0 && top_tokens === undefined));
    const topped = await tokensOf({ top_n_tokens: 2 });
    for (const [index, { token, top_tokens }] of topped.entries()) {
      assert.equal(token.logprob, detailed[index]?.token.logprob);
      assert.deepEqual(
        [top_tokens?.length, top_tokens?.[0]?.id, top_tokens?.[0]?.logprob],
        [2, token.id, token.logprob],
      );
    }
    const ids = [plain, detailed, topped].map((events) => events.map(({ token }) => token.id));
    assert.deepEqual(ids, [ids[0], ids[0], ids[0]]);
  });

  it("truncates on demand", async () => {
    const body = { inputs: TEXT, parameters: { truncate: 3 } };
    assert.equal((await server().fetch("/generate", body)).status, 200);
  });

  for (const [name, body] of [
    ["an empty text", { inputs: "" }],
    ["no text", {}],
    ["several texts", { inputs: ["a", "b"] }],
    ["best_of", { inputs: "a", parameters: { best_of: 2 } }],
    ["a watermark", { inputs: "a", parameters: { watermark: true } }],
    ["the full text", { inputs: "a", parameters: { return_full_text: true } }],
    ["a grammar", { inputs: "a", parameters: { grammar: { type: "regex", value: "a" } } }],
    ["top_n_tokens without details", { inputs: "a", parameters: { top_n_tokens: 2 } }],
    ["another type", { inputs: "a", parameters: { max_new_tokens: "5" } }],
    ["another field", { inputs: "a", options: {} }],
  ] as const) {
    it(`refuses ${name} with 422`, async () => {
      const response = await server().fetch("/generate", body);
      const answer = (await response.json()) as { readonly error: string; readonly error_type: string; code: string };
      assert.deepEqual([response.status, answer.error_type, answer.code], [422, "validation", "ERR_INVALID_ARGUMENT"]);
      assert.match(answer.error, /^Expected/);
    });
  }
});

describe("the client of Hugging Face", () => {
  const server = useServer();
  const model = useModel({ precision: "float32" });
  const client = (path = "") => new InferenceClient("none", { endpointUrl: `${server().url}${path}` });

  it("generates text", async () => {
    const { texts } = await model().generate(TEXT, { maxNewTokens: 5 });
    const answer = await client().textGeneration({ model: "demo", inputs: TEXT, parameters: { max_new_tokens: 5 } });
    assert.equal(answer.generated_text, texts?.[0]);
  });

  it("streams text", async () => {
    const { texts } = await model().generate(TEXT);
    let text = "";
    for await (const chunk of client().textGenerationStream({ model: "demo", inputs: TEXT })) {
      // The client passes the events of /v1/completions on as they are.
      const { choices } = chunk as unknown as { readonly choices: readonly { readonly text: string }[] };
      text += choices[0]?.text ?? "";
    }
    assert.equal(text, texts?.[0]);
  });

  it("embeds texts at /embed", async () => {
    const texts = ["seven", "six"];
    const embeddings = await model().embed(texts, { normalize: true });
    const answer = await client("/embed").featureExtraction({ inputs: texts });
    assert.deepEqual(
      answer,
      texts.map((_, row) => Array.from(embeddings.row(row))),
    );
  });
});
