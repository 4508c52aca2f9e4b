import assert from "node:assert/strict";
import { once } from "node:events";
import { onTerminal, Running, torchT5 } from "../support/cli.js";
import { useModel } from "../support/model.js";
import { cpu, parseLines } from "./lines.js";

interface Answer {
  readonly text: string;
  readonly sequences: readonly (readonly number[])[];
  readonly texts: readonly string[];
  readonly finishReasons: readonly string[];
  readonly lengths: readonly number[];
  readonly sequenceScores?: readonly number[];
  readonly transitionScores?: readonly (readonly number[])[];
}

const number = "spell number: 48213";
const date = "date to iso: March 5, 2021";
const answers = ["forty-eight thousand two hundred thirteen", "2021-03-05"];
const endless = ["--eos-token-id", "none", "--max-new-tokens", "1000000"];
const parse = (stdout: string) => parseLines<Answer>(stdout);

describe("torch-t5 generate", () => {
  const model = useModel();

  it("prints one answer per line, in the order of the texts", async () => {
    const { code, stdout, stderr } = await torchT5(["generate", number, date, ...cpu]);
    assert.deepEqual([code, stderr, stdout], [0, "", `${answers.join("\n")}\n`]);
  });

  it("reads one text per line from standard input", async () => {
    const { code, stdout } = await torchT5(["generate", "-", ...cpu], { input: `${number}\r\n${date}` });
    assert.deepEqual([code, stdout], [0, `${answers.join("\n")}\n`]);
  });

  it("answers a line before it reads the next one", async () => {
    const running = new Running(["generate", "-", ...cpu]);
    running.child.stdin.write(`${number}\n`);
    assert.deepEqual(await running.lines(1), answers.slice(0, 1));
    running.child.stdin.end(`${date}\n`);
    assert.deepEqual(await running.lines(2), answers);
    assert.deepEqual(await running.ended, { code: 0, signal: null });
  });

  it("prints the same answers for texts that are answered in a batch", async () => {
    const args = ["generate", number, date, number, "--batch-size", "2", "--json", ...cpu];
    const lines = parse((await torchT5(args)).stdout);
    assert.deepEqual(
      lines.map(({ text, texts }) => [text, ...texts]),
      [
        [number, answers[0]],
        [date, answers[1]],
        [number, answers[0]],
      ],
    );
    // The shorter sequence isn't padded to the length of the other one.
    assert.deepEqual(lines[1]?.sequences, [[0, ...(model().tokenizer?.encode(answers[1] ?? "").ids ?? [])]]);
  });

  it("streams the same text that it prints without streaming", async () => {
    const streamed = await torchT5(["generate", number, date, "--stream", ...cpu]);
    assert.deepEqual(streamed, { code: 0, stdout: `${answers.join("\n")}\n`, stderr: "" });
    const sampled = ["generate", number, "--do-sample", "--seed", "3", "--temperature", "4", ...cpu];
    assert.equal((await torchT5([...sampled, "--stream"])).stdout, (await torchT5(sampled)).stdout);
  });

  it("streams on a terminal, and prints whole lines there with --no-stream or beams", async () => {
    for (const options of [[], ["--no-stream"], ["--num-beams", "2"]]) {
      const { code, stdout } = await onTerminal(["generate", number, ...options, ...cpu]);
      assert.deepEqual([code, stdout.trimEnd()], [0, answers[0]]);
    }
  });

  const given: readonly (readonly [flags: readonly string[], options: Readonly<Record<string, unknown>>])[] = [
    [[], {}],
    [["--max-new-tokens", "3"], { maxNewTokens: 3 }],
    [["--eos-token-id", "none", "--max-length", "9"], { eosTokenId: [], maxLength: 9 }],
    [["--eos-token-id", "1,5"], { eosTokenId: [1, 5] }],
    [
      ["--num-beams", "3", "--num-return-sequences", "2", "--length-penalty", "-1.5", "--early-stopping", "never"],
      { numBeams: 3, numReturnSequences: 2, lengthPenalty: -1.5, earlyStopping: "never" },
    ],
    [
      ["--do-sample", "--seed", "18446744073709551615", "--temperature", "3", "--top-k", "9", "--top-p", "0.9"],
      { doSample: true, seed: 18446744073709551615n, temperature: 3, topK: 9, topP: 0.9 },
    ],
    [["--bad-words-ids", "[[14],[16]]"], { badWordsIds: [[14], [16]] }],
    [["--sequence-bias", "[[[14],-9.5]]"], { sequenceBias: [[[14], -9.5]] }],
    [["--stop-strings", "thousand", "--stop-strings", "hundred"], { stopStrings: ["thousand", "hundred"] }],
    [["--suppress-tokens", "14,16", "--no-repeat-ngram-size", "2"], { suppressTokens: [14, 16], noRepeatNgramSize: 2 }],
    [["--repetition-penalty", "1.3", "--min-new-tokens", "12"], { repetitionPenalty: 1.3, minNewTokens: 12 }],
    [["--exponential-decay-length-penalty", "[2,1.5]"], { exponentialDecayLengthPenalty: [2, 1.5] }],
    [["--forced-eos-token-id", "1", "--remove-invalid-values"], { forcedEosTokenId: [1], removeInvalidValues: true }],
  ];
  for (const [flags, options] of given) {
    it(`generates as the library does with: ${flags.join(" ") || "no options"}`, async () => {
      const { code, stdout, stderr } = await torchT5([
        "generate",
        number,
        "--json",
        "--return-scores",
        ...flags,
        ...cpu,
      ]);
      assert.deepEqual([code, stderr], [0, ""]);
      const expected = await model().generate(number, { ...options, returnScores: true });
      const [line] = parse(stdout);
      assert.equal(line?.text, number);
      assert.deepEqual(line?.texts, expected.texts);
      assert.deepEqual(line?.finishReasons, expected.finishReasons);
      assert.deepEqual(line?.lengths, expected.lengths);
      for (const [row, ids] of (line?.sequences ?? []).entries()) {
        const whole = [...expected.sequences.row(row)];
        assert.equal(ids.length, 1 + (expected.lengths[row] ?? 0));
        assert.deepEqual(ids, whole.slice(0, ids.length));
        assert.ok(whole.slice(ids.length).every((id) => id === 0));
        const scores: readonly number[] = line?.transitionScores?.[row] ?? [];
        const transitions: Float32Array =
          expected.transitionScores?.row(row).subarray(0, ids.length - 1) ?? new Float32Array();
        assert.deepEqual(Float32Array.from(scores), transitions.slice());
      }
      const { sequenceScores } = expected;
      assert.deepEqual(line?.sequenceScores?.map(Math.fround), sequenceScores && [...sequenceScores.data]);
    });
  }

  const wrong: readonly (readonly [flags: readonly string[], message: RegExp])[] = [
    [["--num-beans", "4"], /Unknown option '--num-beans'/],
    [["--num-beams", "0"], /for --num-beams but received 0/],
    [["--num-beams", "four"], /an integer for --num-beams but received "four"/],
    [["--temperature", "warm"], /a number for --temperature but received "warm"/],
    [["--temperature", "0.5"], /--do-sample/],
    [["--length-penalty", "2"], /--num-beams/],
    [["--num-return-sequences", "2"], /--num-return-sequences/],
    [["--max-length", "5", "--max-new-tokens", "5"], /--max-length.*--max-new-tokens|--max-new-tokens.*--max-length/],
    [["--eos-token-id", "one"], /ids such as 1,5, or none, for --eos-token-id but received "one"/],
    [["--eos-token-id", "99999999"], /--eos-token-id/],
    [["--bad-words-ids", "[[1]"], /JSON for --bad-words-ids but received "\[\[1\]"/],
    [["--bad-words-ids", "7"], /for --bad-words-ids but received 7/],
    [["--early-stopping", "soon"], /true, false or never for --early-stopping but received "soon"/],
    [["--batch-size", "0"], /an integer of at least 1 for --batch-size but received "0"/],
    [["--return-scores"], /--json with --return-scores/],
    [["--stream", "--json"], /no --json with --stream/],
    [["--stream", "--batch-size", "2"], /no --batch-size with --stream/],
    [["--stream", "--num-beams", "2"], /--num-beams/],
  ];
  for (const [flags, message] of wrong) {
    it(`ends with 2 and one line for: ${flags.join(" ")}`, async () => {
      const { code, stdout, stderr } = await torchT5(["generate", number, ...flags, ...cpu]);
      assert.match(stderr, message);
      assert.match(stderr, /^torch-t5: [^\n]*\n$/);
      assert.deepEqual([code, stdout], [2, ""]);
    });
  }

  it("ends at once and without a message when it is interrupted", async () => {
    for (const args of [["--stream"], ["--num-beams", "4"], ["--stream", "--do-sample"]]) {
      const running = new Running(["generate", number, ...endless, ...args, ...cpu]);
      if (args.includes("--stream")) await once(running.child.stdout, "data");
      else await new Promise((resolve) => setTimeout(resolve, 2000));
      const interrupted = performance.now();
      running.child.kill("SIGINT");
      assert.deepEqual(await running.ended, { code: null, signal: "SIGINT" });
      assert.ok(performance.now() - interrupted < 1000);
      assert.equal(running.stderr, "");
    }
  });

  it("ends quietly when its reader closes the pipe", async () => {
    const running = new Running(["generate", number, ...endless, "--stream", ...cpu]);
    await once(running.child.stdout, "data");
    running.child.stdout.destroy();
    assert.deepEqual(await running.ended, { code: 0, signal: null });
    assert.equal(running.stderr, "");
  });
});
