import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { T5ForConditionalGeneration } from "torch-t5";
import { generationFlags, generationHelp } from "#lib/cli/commands/generation-flags.js";
import { readGenerationConfig } from "#lib/generation/config.js";
import { GENERATION_OPTIONS } from "#lib/generation/option-table.js";
import { readGenerateOptions } from "#lib/generation/request.js";
import { type GenerationTask, resolveGenerationOptions } from "#lib/generation/resolve.js";
import { parseGenerationConfig } from "#lib/loading/config.js";
import type { NativeGenerateOptions } from "#lib/native/types.js";
import { updateManifest, withModelCopy } from "../support/directory.js";
import { runProgram } from "../support/program.js";

const VOCAB_SIZE = 100;
const task: GenerationTask = { batch: 2, promptLength: 1, vocabSize: VOCAB_SIZE, endId: 1, hasTokenizer: true };
const ends = { eos_token_id: 1, pad_token_id: 0 };

/** The options of native code for a caller's options and a generation_config.json. */
function resolve(options: object, file: object = ends, part: Partial<GenerationTask> = {}): NativeGenerateOptions {
  const config = readGenerationConfig(parseGenerationConfig(file), VOCAB_SIZE);
  return resolveGenerationOptions(readGenerateOptions(options, VOCAB_SIZE), config, { ...task, ...part });
}

/** A value with plain arrays instead of typed ones. */
function plain(value: unknown): unknown {
  if (value instanceof Int32Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
}

describe("the table of generation options", () => {
  it("is what docs/generation-options.md shows", async () => {
    const script = new URL("../../scripts/generation-options.mjs", import.meta.url);
    const { code, stderr } = await runProgram(script, ["--check"]);
    assert.equal(code, 0, stderr);
  });

  it("has a flag for every option but a function, raw logits and log-probabilities, and help within 120 columns", () => {
    const flags = Object.keys(GENERATION_OPTIONS).map((name) =>
      name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
    );
    const without = ["logits-processor", "return-logits", "log-probs"];
    assert.deepEqual(
      generationFlags,
      flags.filter((flag) => !without.includes(flag)),
    );
    for (const line of generationHelp.split("\n")) assert.ok(line.length <= 120, line);
  });
});

describe("the defaults of generate", () => {
  it("are Hugging Face's where neither the call nor the file gives a value", () => {
    assert.deepEqual(plain(resolve({}, {})), {
      maxLength: 21,
      minLength: 0,
      minNewTokens: 0,
      eosTokenIds: [],
      padTokenId: -1,
      numBeams: 1,
      numReturnSequences: 1,
      lengthPenalty: 1,
      earlyStopping: "false",
      doSample: false,
      seed: 0n,
      temperature: 1,
      topK: 50,
      topP: 1,
      minP: undefined,
      typicalP: 1,
      epsilonCutoff: 0,
      etaCutoff: 0,
      repetitionPenalty: 1,
      encoderRepetitionPenalty: 1,
      noRepeatNgramSize: 0,
      encoderNoRepeatNgramSize: 0,
      badWordsIds: undefined,
      sequenceBias: undefined,
      forcedBosTokenId: undefined,
      forcedEosTokenIds: undefined,
      suppressTokens: undefined,
      beginSuppressTokens: undefined,
      exponentialDecayLengthPenalty: undefined,
      renormalizeLogits: false,
      removeInvalidValues: false,
      stopStrings: [],
      maxTime: undefined,
      returnLogits: false,
      returnScores: false,
      logProbs: undefined,
    });
  });

  it("are those of generation_config.json where it has a value, null counting as none", () => {
    const { numBeams, topK, earlyStopping, eosTokenIds } = resolve(
      {},
      { num_beams: 4, top_k: null, early_stopping: true, eos_token_id: [1, 2] },
    );
    assert.deepEqual([numBeams, topK, earlyStopping, [...eosTokenIds]], [4, 50, "true", [1, 2]]);
  });

  it("are overridden by the options of the call", () => {
    const { numBeams, eosTokenIds } = resolve({ numBeams: 2, eosTokenId: [] }, { num_beams: 4, eos_token_id: 1 });
    assert.deepEqual([numBeams, [...eosTokenIds]], [2, []]);
  });

  it("without effect are accepted where Hugging Face accepts them without a warning", () => {
    assert.equal(resolve({ minNewTokens: 5, eosTokenId: [] }).minNewTokens, 5);
    assert.equal(resolve({ minNewTokens: 5 }, {}).minNewTokens, 5);
    assert.equal(resolve({ minLength: 5 }, {}).minLength, 5);
    assert.equal(resolve({ padTokenId: 3, eosTokenId: [] }).padTokenId, 3);
    assert.equal(resolve({ seed: 1 }).doSample, false);
  });

  it("pad with the pad id, else with the first end id", () => {
    assert.equal(resolve({}).padTokenId, 0);
    assert.equal(resolve({}, { eos_token_id: [7, 8] }).padTokenId, 7);
    assert.equal(resolve({ padTokenId: 3 }).padTokenId, 3);
    assert.equal(resolve({ eosTokenId: [] }).padTokenId, 0, "a stop string may end a row before others");
    assert.equal(resolve({}, { pad_token_id: 0 }).padTokenId, -1, "Hugging Face pads nothing without an end id");
  });

  it("start with the file's decoder start id, else its bos id", () => {
    const start = (file: object) => readGenerationConfig(parseGenerationConfig(file), VOCAB_SIZE).decoderStartTokenId;
    assert.equal(start({ decoder_start_token_id: 3, bos_token_id: 4 }), 3);
    assert.equal(start({ bos_token_id: 4 }), 4);
    assert.equal(start({}), undefined);
  });

  it("have a random seed for sampling without one", () => {
    const seeds = new Set(Array.from({ length: 4 }, () => resolve({ doSample: true }).seed));
    assert.equal(seeds.size, 4);
  });
});

describe("lengths", () => {
  const cases: readonly (readonly [promise: string, options: object, file: object, prompt: number, max: number])[] = [
    ["20 new tokens by default", {}, {}, 5, 25],
    ["maxLength with the prompt", { maxLength: 9 }, {}, 5, 9],
    ["maxNewTokens after the prompt", { maxNewTokens: 9 }, {}, 5, 14],
    ["the file's maxLength with the prompt", {}, { max_length: 9 }, 5, 9],
    ["the file's maxNewTokens after the prompt", {}, { max_new_tokens: 9 }, 5, 14],
    ["maxNewTokens rather than the file's maxLength", { maxNewTokens: 3 }, { max_length: 9 }, 5, 8],
    ["the file's maxNewTokens rather than maxLength", { maxLength: 30 }, { max_new_tokens: 3 }, 5, 8],
    ["maxLength rather than the file's", { maxLength: 30 }, { max_length: 9 }, 5, 30],
  ];
  for (const [promise, options, file, promptLength, max] of cases) {
    it(`count ${promise}, as Hugging Face does`, () => {
      assert.equal(resolve(options, { ...ends, ...file }, { promptLength }).maxLength, max);
    });
  }

  it("count minNewTokens after the prompt", () => {
    const { minLength, minNewTokens } = resolve({ minNewTokens: 4 }, ends, { promptLength: 3 });
    assert.deepEqual([minLength, minNewTokens], [7, 4]);
  });

  it("ignore a minimum length of the file that is over the maximum", () => {
    assert.equal(resolve({ maxNewTokens: 2 }, { ...ends, min_length: 30 }).minLength, 30);
    assert.equal(resolve({}, { min_length: 30 }).minLength, 30, "without an end id, too");
  });
});

describe("options of generate", () => {
  it("include a seed as torch.manual_seed takes it", () => {
    const seed = (value: number | bigint) => resolve({ doSample: true, seed: value }).seed;
    assert.equal(seed(0), 0n);
    assert.equal(seed(7), 7n);
    assert.equal(seed(-1), 0xffff_ffff_ffff_fffen);
    assert.equal(seed(-(2n ** 63n)), 0x7fff_ffff_ffff_ffffn);
    assert.equal(seed(2n ** 64n - 1n), 2n ** 64n - 1n);
  });

  it("leave out bad words that consist of one end id, and repeated ones", () => {
    const badWordsIds = [[1], [1, 5], [5], Int32Array.of(5)];
    assert.deepEqual(plain(resolve({ badWordsIds }).badWordsIds), [[1, 5], [5]]);
  });

  it("refuse sequences that end as encode ends a text, unless they are of the file", () => {
    const message = (name: string) =>
      `Expected ids without the end-of-sequence id (encode with addSpecialTokens: false) for ${name} but received ids that end in 1`;
    const code = "ERR_INVALID_ARGUMENT";
    assert.throws(() => resolve({ badWordsIds: [[5], [5, 1]] }), { code, message: message("options.badWordsIds[1]") });
    const sequenceBias = [
      [[1], 2],
      [Int32Array.of(6, 5, 1), -2],
    ];
    assert.throws(() => resolve({ sequenceBias }), { code, message: message("options.sequenceBias[1][0]") });
    assert.deepEqual(plain(resolve({ sequenceBias: [[[1], 2]] }).sequenceBias), [{ ids: [1], bias: 2 }]);
    const ofFile = resolve({}, { ...ends, bad_words_ids: [[5, 1]], sequence_bias: [[[6, 1], -2]] });
    assert.deepEqual(plain([ofFile.badWordsIds, ofFile.sequenceBias]), [[[5, 1]], [{ ids: [6, 1], bias: -2 }]]);
    assert.deepEqual(plain(resolve({ badWordsIds: [[5, 1]] }, ends, { endId: 7 }).badWordsIds), [[5, 1]]);
    const lists = resolve({ suppressTokens: [5, 1], beginSuppressTokens: [5, 1] });
    assert.deepEqual(plain([lists.suppressTokens, lists.beginSuppressTokens]), [
      [5, 1],
      [5, 1],
    ]);
  });

  it("keep the last bias of a sequence, at the place of its first", () => {
    const sequenceBias = [
      [[5], 1],
      [[6, 7], Number.NEGATIVE_INFINITY],
      [[5], 2],
    ];
    assert.deepEqual(plain(resolve({ sequenceBias }).sequenceBias), [
      { ids: [5], bias: 2 },
      { ids: [6, 7], bias: Number.NEGATIVE_INFINITY },
    ]);
  });

  it("take one id or several, one stop string or several, and an empty list of ids to suppress", () => {
    const options = resolve({ eosTokenId: 5, forcedEosTokenId: [5, 6], stopStrings: "a", suppressTokens: [] });
    const { eosTokenIds, forcedEosTokenIds, stopStrings, suppressTokens } = options;
    assert.deepEqual(plain([eosTokenIds, forcedEosTokenIds, stopStrings]), [[5], [5, 6], ["a"]]);
    assert.equal(suppressTokens, undefined);
  });

  it("that change nothing are accepted where they have no effect, as in Hugging Face", () => {
    resolve({ temperature: 1, topK: 50, topP: 1, typicalP: 1, epsilonCutoff: 0, etaCutoff: 0 });
    resolve({ lengthPenalty: 1, earlyStopping: false, minLength: 0 }, {});
    resolve({ minNewTokens: 0, doSample: false }, {});
  });

  it("of the file are ignored where Hugging Face ignores them", () => {
    const file = { ...ends, temperature: 0.5, length_penalty: 2, early_stopping: true, min_p: 0.1, custom_entry: 3 };
    assert.equal(resolve({}, file).doSample, false);
  });

  it("are copied", () => {
    const eosTokenId = [5];
    const badWordsIds = [[7, 8]];
    const options = resolve({ eosTokenId, badWordsIds });
    eosTokenId[0] = 6;
    badWordsIds[0]?.fill(9);
    assert.deepEqual(plain([options.eosTokenIds, options.badWordsIds]), [[5], [[7, 8]]]);
  });

  const wrong: readonly (readonly [promise: string, options: object, message: RegExp, file?: object])[] = [
    ["both maximum lengths", { maxLength: 5, maxNewTokens: 5 }, /only one of maxNewTokens and maxLength for options/],
    ["both minimum lengths", { minLength: 5, minNewTokens: 5 }, /only one of minNewTokens and minLength for options/],
    [
      "a maximum length that the prompt has already",
      { maxLength: 1 },
      /more than 1, .* for options.maxLength but received 1/,
    ],
    ["a minimum length over the maximum", { minLength: 9, maxLength: 5 }, /at most 5, .* options.minLength .* 9/],
    [
      "a minimum number of tokens over the maximum",
      { minNewTokens: 9, maxNewTokens: 5 },
      /at most 5, .* options.minNewTokens .* 9/,
    ],
    [
      "a minimum number of tokens over the default maximum",
      { minNewTokens: 21 },
      /at most 20, .* options.minNewTokens .* 21/,
    ],
    [
      "a decay without an end id",
      { exponentialDecayLengthPenalty: [1, 2] },
      /an eosTokenId .* options.exponential/,
      {},
    ],
    [
      "a temperature without sampling",
      { temperature: 0.5 },
      /options.doSample alongside it for options.temperature .* 0.5/,
    ],
    ["topK without sampling", { topK: 5 }, /options.doSample alongside it for options.topK/],
    ["topK of 0 without sampling", { topK: 0 }, /for options.topK/],
    ["topP without sampling", { topP: 0.5 }, /for options.topP/],
    ["minP without sampling", { minP: 0 }, /for options.minP/],
    ["typicalP without sampling", { typicalP: 0.5 }, /for options.typicalP/],
    ["epsilonCutoff without sampling", { epsilonCutoff: 0.1 }, /for options.epsilonCutoff/],
    ["etaCutoff without sampling", { etaCutoff: 0.1 }, /for options.etaCutoff/],
    ["sampling switched off", { doSample: false, topP: 0.5 }, /for options.topP/, { ...ends, do_sample: true }],
    ["a length penalty without beams", { lengthPenalty: 2 }, /options.numBeams over 1 .* options.lengthPenalty/],
    ["early stopping without beams", { earlyStopping: "never" }, /options.numBeams over 1 .* options.earlyStopping/],
    ["more sequences than beams", { numBeams: 2, numReturnSequences: 3 }, /at most 2, .* options.numReturnSequences/],
    ["several greedy sequences", { numReturnSequences: 2 }, /neither beams nor sampling, .* options.numReturnSequ/],
    ["fewer beams than the file's sequences", { numBeams: 2 }, /at most 2/, { num_return_sequences: 3, num_beams: 3 }],
    [
      "a forced first id that is suppressed",
      { forcedBosTokenId: 5, suppressTokens: [4, 5] },
      /an id that is not in suppressTokens for options.forcedBosTokenId but received 5/,
    ],
    [
      "forced end ids that are suppressed",
      { forcedEosTokenId: [1, 5], suppressTokens: [1, 5] },
      /an id that is not in suppressTokens for options.forcedEosTokenId but received 1, 5/,
    ],
    [
      "more end ids than beams can have candidates for",
      { numBeams: 2, eosTokenId: Array(100).fill(1) },
      /at most 99 ids, .* options.eosTokenId/,
    ],
    ["more beams than int32 can count", { numBeams: 2 ** 24 }, /for options.numBeams but received 16777216/],
    [
      "more sequences than int32 can count",
      { doSample: true, numReturnSequences: 2 ** 24 },
      /for options.numReturnSequences but received 16777216/,
    ],
    ["more tokens than int32 can count", { maxNewTokens: 2 ** 31 - 1 }, /at most 2147483647 for options.maxNewTokens/],
    [
      "sequences of more tokens than int32 can count",
      { maxNewTokens: 2 ** 30 },
      /at most \d+ for 2 sequences .* 1073741825/,
    ],
  ];
  for (const [promise, options, message, file = ends] of wrong) {
    it(`are refused: ${promise}`, () => {
      assert.throws(() => resolve(options, file), { code: "ERR_INVALID_ARGUMENT", message });
    });
  }

  it("are refused: stop strings for a model without a tokenizer", () => {
    assert.throws(() => resolve({ stopStrings: "a" }, ends, { hasTokenizer: false }), {
      code: "ERR_INVALID_ARGUMENT",
      message: /a model with a tokenizer alongside it for options.stopStrings/,
    });
  });
});

describe("generation_config.json", () => {
  const wrong: readonly (readonly [setting: object, code: string, message: RegExp])[] = [
    [{ num_beams: "4" }, "ERR_MODEL_CORRUPT", /for num_beams in generation_config.json but received "4"/],
    [{ eos_token_id: [1, 100] }, "ERR_MODEL_CORRUPT", /for eos_token_id in generation_config.json\[1\] .* 100/],
    [{ decoder_start_token_id: 100 }, "ERR_MODEL_CORRUPT", /decoder_start_token_id in generation_config.json .* 100/],
    [
      { num_beam_groups: 2, num_beams: 2 },
      "ERR_INVALID_ARGUMENT",
      /group beam search .* num_beam_groups in generation_config.json/,
    ],
    [{ diversity_penalty: "x" }, "ERR_INVALID_ARGUMENT", /for diversity_penalty in generation_config.json .* "x"/],
    [{ low_memory: true, num_beams: 2 }, "ERR_INVALID_ARGUMENT", /low-memory search .* low_memory/],
    [{ cache_implementation: "static" }, "ERR_INVALID_ARGUMENT", /cache_implementation/],
    [{ prefill_chunk_size: 0 }, "ERR_INVALID_ARGUMENT", /prefill_chunk_size/],
    [{ penalty_alpha: 0.6 }, "ERR_INVALID_ARGUMENT", /contrastive search .* penalty_alpha/],
    [{ dola_layers: "low" }, "ERR_INVALID_ARGUMENT", /DoLa .* dola_layers/],
    [{ guidance_scale: 1.5 }, "ERR_INVALID_ARGUMENT", /guidance_scale/],
    [{ force_words_ids: [[5]] }, "ERR_INVALID_ARGUMENT", /constrained beam search .* force_words_ids/],
    [{ use_cache: false }, "ERR_INVALID_ARGUMENT", /use_cache/],
    [{ top_h: 0.4 }, "ERR_INVALID_ARGUMENT", /top_h/],
    [{ prompt_lookup_num_tokens: 3 }, "ERR_INVALID_ARGUMENT", /prompt_lookup_num_tokens/],
  ];
  for (const [setting, code, message] of wrong) {
    it(`is refused with ${JSON.stringify(setting)}`, () => {
      assert.throws(() => resolve({}, setting), { code, message });
    });
  }

  it("is checked once: forward works, and each generate rejects with its own error", async () => {
    await withModelCopy(async (directory) => {
      const path = join(directory, "generation_config.json");
      writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), penalty_alpha: 0.6 }));
      updateManifest(directory, "generation_config.json");
      await using t5 = await T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu", intraOpThreads: 1 });
      assert.equal((await t5.forward("a")).logits.shape[0], 1);
      const message =
        "Expected nothing, as contrastive search isn't available: Hugging Face moved it out of generate, " +
        "for penalty_alpha in generation_config.json but received 0.6";
      const refused = { name: "T5Error", code: "ERR_INVALID_ARGUMENT", message };
      const errors = await Promise.all(
        [t5.generate("a"), t5.generate("a"), t5.stream("a").next()].map((call) =>
          call.catch((error: unknown) => error),
        ),
      );
      for (const error of errors) {
        assert.throws(() => {
          throw error;
        }, refused);
        assert.match(String((error as Error).stack).split("\n")[1] ?? "", /generation-options\.spec\.ts/);
      }
      assert.equal(new Set(errors).size, errors.length);
      await assert.rejects(t5.generate("a", { numBeams: 0 }), /for options.numBeams but received 0/);
    });
  });

  it("is overridden by the call, for options without a counterpart, too", () => {
    resolve({ useCache: true, penaltyAlpha: 0 }, { ...ends, use_cache: false, penalty_alpha: 0.6 });
    assert.throws(() => resolve({ useCache: false }, { ...ends, use_cache: true }), /for options.useCache/);
    assert.throws(
      () => resolve({ useCache: null }, { ...ends, use_cache: false }),
      /for use_cache in generation_config/,
    );
  });

  it("may have options of other searches than the call's", () => {
    resolve({ numBeams: 2 }, { ...ends, penalty_alpha: 0.6 });
    resolve({ doSample: true }, { ...ends, penalty_alpha: 0.6 });
    assert.throws(() => resolve({}, { ...ends, penalty_alpha: 0.6 }), /penalty_alpha/);
    resolve({ prefillChunkSize: 3 }, ends, { promptLength: 3 });
    assert.throws(() => resolve({ prefillChunkSize: 2 }, ends, { promptLength: 3 }), /read at once/);
  });

  it("may have unsupported entries that change nothing", () => {
    resolve(
      {},
      {
        ...ends,
        _from_model_config: true,
        transformers_version: "5.23.0",
        num_beam_groups: 1,
        diversity_penalty: 0,
        use_cache: true,
        guidance_scale: null,
        output_scores: true,
        return_dict_in_generate: true,
        num_assistant_tokens: 20,
        cache_implementation: "dynamic",
      },
    );
  });
});
