import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { useModel } from "../../../test/support/model.js";
import { TestServer, useServer } from "../support/server.js";
import { type Analysis, type Answer, CONFIG, type CrossAttention } from "./models.js";

const TEXT = "spell number: 48213";
const PAGE = new URL("../../inspect/", import.meta.url);
const page = fileURLToPath(PAGE);
describe("what the inspector asks for", () => {
  const server = useServer(CONFIG);
  const t5 = useModel({ precision: "float32" });

  it("is each position's token, rank, entropy and best tokens, from the library's logits", async () => {
    const target = "forty-eight thousand two";
    const { logits } = await t5().forward({ text: TEXT, target });
    const probabilities = logits.softmax();
    const logProbs = logits.logSoftmax();
    const { indices } = logits.topK(3);
    const analysis = await server().json<Analysis>("/inspect/analysis", { text: TEXT, target, topK: 3 });
    assert.deepEqual([analysis.model, analysis.target, analysis.isGenerated], ["demo", target, false]);
    const ids = Array.from(t5().tokenizer?.encode(target).ids ?? []);
    assert.deepEqual(
      analysis.positions.map((position) => position.target.id),
      ids,
    );
    for (const [index, position] of analysis.positions.entries()) {
      const row = logits.row(0, index);
      const id = ids[index] ?? -1;
      assert.equal(position.target.logit, row[id]);
      assert.equal(position.rank, row.filter((logit) => logit > (row[id] ?? 0)).length + 1);
      assert.deepEqual(
        position.top.map((token) => token.id),
        Array.from(indices.row(0, index)),
      );
      // The library's are rounded to float32.
      assert.ok(Math.abs(position.target.logProb - (logProbs.row(0, index)[id] ?? 0)) < 1e-5);
      const entropy = probabilities.row(0, index).reduce((sum, p) => sum - (p === 0 ? 0 : p * Math.log2(p)), 0);
      assert.ok(Math.abs(position.entropy - entropy) < 1e-5);
    }
  });

  it("is the model's best answer without a target", async () => {
    const { texts } = await t5().generate(TEXT);
    const analysis = await server().json<Analysis>("/inspect/analysis", { text: TEXT, model: "demo" });
    assert.deepEqual([analysis.target, analysis.isGenerated], [texts?.[0], true]);
    const other = await server().json<Analysis>("/inspect/analysis", { text: TEXT, model: "small" });
    assert.deepEqual([other.model, other.precision], ["small", "int8"]);
  });

  it("is the answers of beam search with their scores", async () => {
    const options = { numBeams: 3, numReturnSequences: 3, returnScores: true } as const;
    const { texts, sequenceScores, lengths } = await t5().generate(TEXT, options);
    const answers = await server().json<readonly Answer[]>("/inspect/alternatives", { text: TEXT, beams: 3 });
    assert.deepEqual(
      answers.map(({ text, score, tokens }) => [text, score, tokens.length]),
      texts?.map((text, row) => [text, sequenceScores?.data[row], lengths[row]]),
    );
    assert.equal(answers[0]?.tokens.at(-1)?.piece, "</s>");
  });

  it("is refused over the limits and for wrong values", async () => {
    const attended = { text: TEXT, target: "forty", model: "exact" };
    for (const [path, body] of [
      ["attention", { text: TEXT }],
      ["attention", { ...attended, model: "demo" }],
      ["attention", { ...attended, layer: -1 }],
      ["attention", { ...attended, layer: 2 }],
      ["attention", { ...attended, head: 1.5 }],
      ["attention", { ...attended, head: "0" }],
      ["attention", { ...attended, head: 99 }],
      ["attention", { ...attended, heads: 0 }],
      ["attention", { ...attended, text: "a ".repeat(5000) }],
      ["attention", { ...attended, text: "a ".repeat(4000) }],
      ["analysis", {}],
      ["analysis", { text: TEXT, topK: 0 }],
      ["analysis", { text: TEXT, topK: 101 }],
      ["analysis", { text: "a ".repeat(5000) }],
      ["analysis", { text: TEXT, target: "a ".repeat(5000) }],
      ["alternatives", { text: TEXT, beams: 1 }],
      ["alternatives", { text: TEXT, beams: 17 }],
    ] as const) {
      assert.equal(
        (await server().fetch(`/inspect/${path}`, body)).status,
        400,
        `${path} ${JSON.stringify(body).slice(0, 50)}`,
      );
    }
    assert.equal((await server().fetch("/inspect/analysis", { text: TEXT, model: "nobody" })).status, 404);
  });
});

describe("cross-attention", () => {
  const server = useServer(CONFIG);
  const t5 = useModel({ precision: "exact" });
  const target = "forty-eight thousand";

  for (const [layer, head] of [
    [undefined, undefined],
    [1, undefined],
    [undefined, 2],
    [1, 2],
  ] as const) {
    it(`is the library's, of layer ${layer ?? "all"} and head ${head ?? "all"}`, async () => {
      const { crossAttentions } = await t5().forward({ text: TEXT, target }, { outputAttentions: true });
      const [, heads = 0, targetLength = 0, sourceLength = 0] = crossAttentions[0]?.shape ?? [];
      const body = { model: "exact", text: TEXT, target, layer, head };
      const { source, target: tokens, weights } = await server().json<CrossAttention>("/inspect/attention", body);
      assert.deepEqual([tokens.length, source.length], [targetLength, sourceLength]);
      assert.deepEqual(
        source.map(({ id }) => id),
        Array.from(t5().tokenizer?.encode(TEXT).ids ?? []),
      );
      for (const [position, row] of weights.entries()) {
        const ofTensors = (index: number) => {
          const found = crossAttentions.flatMap(({ data }, ofLayer) =>
            Array.from({ length: heads }, (_, ofHead) => ({
              isChosen: (layer ?? ofLayer) === ofLayer && (head ?? ofHead) === ofHead,
              weight: data[(ofHead * targetLength + position) * sourceLength + index] ?? Number.NaN,
            })),
          );
          const chosen = found.filter(({ isChosen }) => isChosen);
          return chosen.reduce((sum, { weight }) => sum + weight, 0) / chosen.length;
        };
        // The order of the sum differs.
        for (const [index, weight] of row.entries()) assert.ok(Math.abs(weight - ofTensors(index)) < 1e-12);
        // The softmax of each head is rounded to float32.
        assert.ok(Math.abs(row.reduce((sum, weight) => sum + weight, 0) - 1) < 1e-5);
      }
    });
  }

  it("states why a model does not have it", async () => {
    const response = await server().fetch("/inspect/attention", { model: "small", text: TEXT, target });
    const { error } = (await response.json()) as { readonly error: string };
    assert.match(error, /Expected a model loaded with precision: "exact" for options.outputAttentions/);
  });
});

describe("the inspector's page", () => {
  const server = useServer(CONFIG);

  it("is served with all of its files, and loads nothing from elsewhere", async () => {
    assert.equal((await server().fetch("/inspect")).url, `${server().url}/inspect/`);
    for (const name of ["", ...readdirSync(page)]) {
      const response = await server().fetch(`/inspect/${name}`);
      assert.equal(response.status, 200, name);
      assert.match(response.headers.get("content-security-policy") ?? "", /default-src 'none'; script-src 'self'/);
      const text = await response.text();
      assert.doesNotMatch(text.replaceAll("http://www.w3.org/2000/svg", ""), /https?:\/\//, name);
      assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b/, name);
    }
    for (const name of ["nothing", "..%2fpackage.json", "../package.json", ".env"]) {
      assert.equal((await server().fetch(`/inspect/${name}`)).status, 404, name);
    }
  });

  it("names every field with a label, and its parts with landmarks", () => {
    const html = readFileSync(`${page}index.html`, "utf8");
    const fields = [...html.matchAll(/<(?:input|select|textarea) id="(\w+)"/g)].map(([, id = ""]) => id);
    assert.ok(fields.length >= 6);
    for (const id of fields) assert.match(html, new RegExp(`<label for="${id}">\\w+`));
    for (const part of ['<html lang="en">', "<main>", "<h1>", 'role="status"', "<title>"])
      assert.ok(html.includes(part), part);
  });

  it("needs no key, while what it asks for does", async () => {
    const locked = await TestServer.start({}, { TORCH_T5_API_KEYS: "key" });
    assert.equal((await locked.fetch("/inspect/")).status, 200);
    assert.equal((await locked.fetch("/inspect/main.js")).status, 200);
    assert.equal((await locked.fetch("/inspect/analysis", { text: TEXT })).status, 401);
    await locked.stop();
  });

  it("is not served with inspect: false", async () => {
    const without = await TestServer.start({ inspect: false });
    assert.equal((await without.fetch("/inspect/")).status, 404);
    await without.stop();
  });

  it("keeps a question in the link, and reads it back", async () => {
    const { toFragment, fromFragment } = await import(new URL("state.js", PAGE).href);
    const question = { text: "a&b=c#ü", target: "", model: "demo", other: "small", top: "5", beams: "4" };
    const { target, ...given } = question;
    assert.deepEqual(fromFragment(`#${toFragment(question)}`), given);
    assert.deepEqual(fromFragment("#key=secret&text=a"), { text: "a" });
    assert.equal(target, "");
  });

  it("joins answers that begin alike to one tree", async () => {
    const { toTree, joined } = await import(new URL("tree.js", PAGE).href);
    const token = (id: number) => ({ id, piece: `p${id}`, logProb: -id });
    const answers = [
      { text: "one", score: -1, tokens: [1, 2, 3].map(token) },
      { text: "two", score: -2, tokens: [1, 2, 4, 5].map(token) },
      { text: "three", score: -3, tokens: [6].map(token) },
    ];
    type Branch = {
      readonly pieces: readonly { piece: string }[];
      answers: readonly { text: string }[];
      children: readonly Branch[];
    };
    const plain = (branches: readonly Branch[]): unknown =>
      branches.map(({ pieces, answers: ends, children }) => [
        pieces.map(({ piece }) => piece).join(" "),
        ends.map(({ text }) => text),
        plain(children),
      ]);
    assert.deepEqual(plain(joined(toTree(answers)) as readonly Branch[]), [
      [
        "p1 p2",
        [],
        [
          ["p3", ["one"], []],
          ["p4 p5", ["two"], []],
        ],
      ],
      ["p6", ["three"], []],
    ]);
  });
});
