import assert from "node:assert/strict";
import { torchT5 } from "../support/cli.js";
import { useModel } from "../support/model.js";
import { cpu, parseLines } from "./lines.js";

interface Candidate {
  readonly id: number;
  readonly token: string;
  readonly logit: number;
  readonly probability: number;
  readonly logProbability: number;
  readonly rank: number;
}

interface Line {
  readonly text: string;
  readonly target?: string;
  readonly positions: readonly {
    readonly position: number;
    readonly target?: Candidate;
    readonly top: readonly Candidate[];
  }[];
}

const text = "spell number: 48213";
const target = "forty-eight thousand two hundred thirteen";
const parse = (stdout: string) => parseLines<Line>(stdout);

describe("torch-t5 logits", () => {
  const model = useModel();

  it("prints the logits and probabilities of forward, in full", async () => {
    const { code, stdout, stderr } = await torchT5([
      "logits",
      text,
      "--target",
      target,
      "--top-k",
      "3",
      "--json",
      ...cpu,
    ]);
    assert.deepEqual([code, stderr], [0, ""]);
    const [line, ...others] = parse(stdout);
    assert.equal(others.length, 0);
    assert.deepEqual([line?.text, line?.target], [text, target]);
    const { logits } = await model().forward({ text, target });
    const labels = model().tokenizer?.encode(target).ids ?? [];
    assert.equal(line?.positions.length, labels.length);
    const probabilities = logits.softmax();
    for (const { position, target: candidate, top } of line?.positions ?? []) {
      const row = [...logits.row(0, position)];
      const order = row.map((_, id) => id).sort((a, b) => (row[b] ?? 0) - (row[a] ?? 0));
      assert.deepEqual(
        top.map(({ id }) => id),
        order.slice(0, 3),
      );
      assert.deepEqual(
        top.map(({ rank }) => rank),
        [1, 2, 3],
      );
      assert.equal(candidate?.id, labels[position]);
      assert.equal(candidate?.rank, order.indexOf(candidate?.id ?? -1) + 1);
      for (const { id, token, logit, probability, logProbability } of [...top, ...(candidate ? [candidate] : [])]) {
        assert.equal(token, model().tokenizer?.idToToken(id));
        assert.equal(logit, row[id]);
        assert.ok(Math.abs(probability - (probabilities.row(0, position)[id] ?? 0)) < 1e-6);
        assert.ok(Math.abs(Math.exp(logProbability) - probability) < 1e-9);
      }
    }
  });

  it("prints a table that marks the target's token at each position", async () => {
    const { code, stdout } = await torchT5(["logits", text, "--target", target, "--top-k", "2", ...cpu]);
    assert.equal(code, 0);
    const lines = stdout.split("\n");
    assert.deepEqual(lines.slice(0, 3), [`text: ${text}`, `target: ${target}`, ""]);
    assert.match(lines[3] ?? "", /^position +rank +token +id +logit +probability$/);
    const count = model().tokenizer?.encode(target).ids.length;
    assert.equal(lines.filter((line) => line.endsWith("< target")).length, count);
    const { logits } = await model().forward({ text, target });
    const best = logits.argmax().data[0] ?? 0;
    const logit = logits.row(0, 0)[best]?.toFixed(4);
    assert.match(lines[4] ?? "", new RegExp(`^ +0 +1 .* ${best} +${logit} +[01]\\.\\d{4}`));
    assert.match(stdout, new RegExp(`\nThe target's token is the best one at \\d+ of ${count} positions\n$`));
  });

  it("prints five tokens for the first position where there is no target", async () => {
    const { code, stdout } = await torchT5(["logits", text, ...cpu]);
    assert.equal(code, 0);
    assert.equal(stdout.trimEnd().split("\n").length, 3 + 5);
    assert.doesNotMatch(stdout, /target/);
  });

  it("reads one text per line from standard input, each with its target", async () => {
    const targets = ["--target", "seven", "--target", "eight"];
    const input = "spell number: 7\r\nspell number: 8";
    const { code, stdout } = await torchT5(["logits", "-", "--json", ...targets, ...cpu], { input });
    assert.equal(code, 0);
    const lines = parse(stdout).map((line) => [line.text, line.target]);
    assert.deepEqual(lines, [
      ["spell number: 7", "seven"],
      ["spell number: 8", "eight"],
    ]);
  });

  it("takes a text that begins with a dash after `--`", async () => {
    const { code, stdout } = await torchT5(["logits", "--json", ...cpu, "--", "--help"]);
    assert.equal(code, 0);
    assert.equal(parse(stdout)[0]?.text, "--help");
  });

  it("prints no more tokens than the vocabulary has", async () => {
    const { stdout } = await torchT5(["logits", text, "--top-k", "999999", "--json", ...cpu]);
    assert.equal(parse(stdout)[0]?.positions[0]?.top.length, model().config.vocabSize);
  });
});
