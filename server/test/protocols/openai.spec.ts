import assert from "node:assert/strict";
import OpenAI, { APIError } from "openai";
import { useModel } from "../../../test/support/model.js";
import { useServer } from "../support/server.js";

const TEXT = "spell number: 48213";

describe("OpenAI's API, used by its client", () => {
  const server = useServer();
  const model = useModel({ precision: "float32" });
  const client = () => new OpenAI({ baseURL: `${server().url}/v1`, apiKey: "none", maxRetries: 0 });
  const refusal = async (call: Promise<unknown>): Promise<APIError> => {
    const error = await call.then(
      () => assert.fail("an error is expected"),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof APIError);
    return error;
  };

  it("lists the models", async () => {
    const { data } = await client().models.list();
    assert.deepEqual(
      data.map(({ id, object }) => [id, object]),
      [["demo", "model"]],
    );
    assert.equal((await client().models.retrieve("demo")).id, "demo");
    const error = await refusal(client().models.retrieve("gpt"));
    assert.deepEqual([error.status, error.code], [404, "ERR_NOT_FOUND"]);
  });

  it("completes texts greedily without a temperature, as the library does", async () => {
    const prompt = [TEXT, "date to iso: 5.3.2021"];
    const { texts, lengths } = await model().generate(prompt);
    const { choices, usage, object } = await client().completions.create({ model: "demo", prompt });
    assert.equal(object, "text_completion");
    assert.deepEqual(
      choices.map(({ text, index, finish_reason, logprobs }) => ({ text, index, finish_reason, logprobs })),
      texts?.map((text, index) => ({ text, index, finish_reason: "stop", logprobs: null })),
    );
    assert.equal(usage?.completion_tokens, (lengths[0] ?? 0) + (lengths[1] ?? 0));
    const counts = prompt.map((text) => model().tokenizer?.countTokens(text) ?? 0);
    assert.equal(usage?.prompt_tokens, (counts[0] ?? 0) + (counts[1] ?? 0));
  });

  it("completes rows of ids", async () => {
    const rows = [TEXT, "spell number: 7"].map((text) => Array.from(model().tokenizer?.encode(text).ids ?? []));
    const { texts } = await model().generate([TEXT, "spell number: 7"]);
    const { choices } = await client().completions.create({ model: "demo", prompt: rows });
    assert.deepEqual(
      choices.map(({ text }) => text),
      texts,
    );
    const one = await client().completions.create({ model: "demo", prompt: rows[0] ?? [] });
    assert.equal(one.choices[0]?.text, texts?.[0]);
  });

  it("samples with a temperature, a seed and n, as the library does", async () => {
    const options = { doSample: true, temperature: 2, topP: 0.9, seed: 5, numReturnSequences: 3, maxNewTokens: 6 };
    const { texts } = await model().generate(TEXT, options);
    const request = { model: "demo", prompt: TEXT, temperature: 2, top_p: 0.9, seed: 5, n: 3, max_tokens: 6 };
    const { choices } = await client().completions.create(request);
    assert.deepEqual(
      choices.map(({ text }) => text),
      texts,
    );
  });

  it("takes the library's own options beside OpenAI's", async () => {
    const { texts } = await model().generate(TEXT, { numBeams: 3, lengthPenalty: -2 });
    const request = { model: "demo", prompt: TEXT, num_beams: 3, length_penalty: -2 };
    const { choices } = await client().completions.create(request);
    assert.equal(choices[0]?.text, texts?.[0]);
  });

  it("removes stop strings, also in a stream", async () => {
    const request = { model: "demo", prompt: TEXT, stop: ["thousand two", "hundred"] };
    const { choices } = await client().completions.create(request);
    assert.deepEqual([choices[0]?.text, choices[0]?.finish_reason], ["forty-eight ", "stop"]);
    let text = "";
    let reason: string | null = null;
    for await (const chunk of await client().completions.create({ ...request, stream: true })) {
      text += chunk.choices[0]?.text ?? "";
      reason = chunk.choices[0]?.finish_reason ?? reason;
    }
    assert.deepEqual([text, reason], ["forty-eight ", "stop"]);
  });

  it("gives the log-probabilities that score gives", async () => {
    const { choices } = await client().completions.create({ model: "demo", prompt: TEXT, logprobs: 3 });
    const [choice] = choices;
    const [scored] = await model().score(TEXT, [choice?.text ?? ""]);
    const { token_logprobs = [], tokens = [], top_logprobs = [], text_offset = [] } = choice?.logprobs ?? {};
    assert.equal(token_logprobs.length, scored?.logProbs.length);
    // The decoder runs step by step here, and over all positions at once there: the same bits are not promised.
    token_logprobs.forEach((value, index) => {
      assert.ok(Math.abs(value - (scored?.logProbs[index] ?? 0)) < 1e-4);
    });
    assert.deepEqual(tokens.slice(0, 4), [" forty", "-", "eight", " thousand"]);
    assert.equal(top_logprobs[0]?.[" forty"], token_logprobs[0]);
    assert.equal(Object.keys(top_logprobs[0] ?? {}).length, 3);
    assert.deepEqual(text_offset.slice(0, 4), [0, 5, 6, 11]);
  });

  it("streams the same choices and the usage", async () => {
    const prompt = [TEXT, "spell number: 7"];
    const whole = await client().completions.create({ model: "demo", prompt, logprobs: 0 });
    const stream = await client().completions.create({
      ...{ model: "demo", prompt, logprobs: 0 },
      ...{ stream: true, stream_options: { include_usage: true } },
    });
    const texts = ["", ""];
    const reasons: (string | null)[] = [null, null];
    const logProbs: number[][] = [[], []];
    let usage: unknown;
    for await (const chunk of stream) {
      usage = chunk.usage ?? usage;
      for (const { index, text, finish_reason, logprobs } of chunk.choices) {
        texts[index] += text;
        reasons[index] ??= finish_reason;
        logProbs[index]?.push(...(logprobs?.token_logprobs ?? []));
      }
    }
    assert.deepEqual(
      whole.choices.map(({ text }) => text),
      texts,
    );
    assert.deepEqual(reasons, ["stop", "stop"]);
    assert.deepEqual(
      whole.choices.map(({ logprobs }) => logprobs?.token_logprobs),
      logProbs,
    );
    assert.deepEqual(usage, whole.usage);
  });

  it("applies logit_bias", async () => {
    const id = model().tokenizer?.tokenToId("▁forty") ?? -1;
    const { texts } = await model().generate(TEXT, { sequenceBias: [[[id], -100]] });
    const request = { model: "demo", prompt: TEXT, logit_bias: { [id]: -100 } };
    assert.equal((await client().completions.create(request)).choices[0]?.text, texts?.[0]);
  });

  it("refuses what has no meaning here, with the library's codes", async () => {
    const complete = (more: object) => refusal(client().completions.create({ model: "demo", prompt: TEXT, ...more }));
    for (const more of [
      { echo: true },
      { suffix: "." },
      { best_of: 2 },
      { presence_penalty: 1 },
      { n: 2 },
      { temperature: -1 },
      { max_tokens: 0 },
      { prompt: [] },
      { prompt: [[1], []] },
      { logit_bias: { five: 1 } },
      { nothing: 1 },
    ]) {
      const error = await complete(more);
      assert.deepEqual([error.status, error.code], [400, "ERR_INVALID_ARGUMENT"], JSON.stringify(more));
      assert.match(error.message, /Expected/);
      assert.equal(error.type, "invalid_request_error");
    }
    assert.equal((await complete({ max_tokens: 2000 })).code, "ERR_LIMIT");
    assert.equal((await complete({ prompt: [[400]] })).code, "ERR_TOKEN_OUT_OF_RANGE");
    assert.equal((await complete({ model: "gpt" })).status, 404);
  });

  it("embeds as the library does, in both encodings", async () => {
    const input = ["seven", "seventeen"];
    const embeddings = await model().embed(input);
    const rows = input.map((_, row) => Array.from(embeddings.row(row)));
    for (const encoding_format of [undefined, "float", "base64"] as const) {
      const request = { model: "demo", input, ...(encoding_format && { encoding_format }) };
      const { data, usage } = await client().embeddings.create(request);
      const received = data.map(({ embedding }) =>
        typeof embedding === "string"
          ? Array.from(new Float32Array(new Uint8Array(Buffer.from(embedding, "base64")).buffer))
          : embedding,
      );
      assert.deepEqual(received, rows);
      assert.equal(usage.prompt_tokens, 4);
    }
    assert.equal((await refusal(client().embeddings.create({ model: "demo", input, dimensions: 8 }))).status, 400);
    assert.equal((await refusal(client().embeddings.create({ model: "demo", input: [] }))).status, 400);
  });

  it("answers unknown routes below /v1 in OpenAI's shape", async () => {
    const request = { model: "demo", messages: [{ role: "user" as const, content: "?" }] };
    assert.equal((await refusal(client().chat.completions.create(request))).code, "ERR_NOT_FOUND");
  });
});
