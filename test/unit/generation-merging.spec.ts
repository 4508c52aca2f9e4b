import assert from "node:assert/strict";
import { readFileSettings } from "#lib/generation/config.js";
import { readGenerationOptions } from "#lib/generation/request.js";
import { type GenerationTask, mergeSettings } from "#lib/generation/resolve.js";
import { parseGenerationConfig } from "#lib/loading/config.js";
import type { NativeGenerateOptions } from "#lib/native/types.js";

const VOCAB_SIZE = 100;
const task: GenerationTask = { batch: 2, promptLength: 1, vocabSize: VOCAB_SIZE, hasTokenizer: true };
const ends = { eos_token_id: 1, pad_token_id: 0 };

/** What native code is told for options and a generation_config.json. */
function merge(options: object, file: object = ends, part: Partial<GenerationTask> = {}): NativeGenerateOptions {
  const { settings } = readGenerationOptions(options, VOCAB_SIZE);
  const config = parseGenerationConfig(file);
  return mergeSettings(settings, readFileSettings(config, VOCAB_SIZE), { ...task, ...part });
}

/** The same, plain: arrays instead of typed ones. */
function plain(value: unknown): unknown {
  if (value instanceof Int32Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
}

describe("the defaults of generate", () => {
  it("are Hugging Face's where nobody says anything", () => {
    assert.deepEqual(plain(merge({}, {})), {
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
    });
  });

  it("are those of generation_config.json where it says something, null being nothing", () => {
    const { numBeams, topK, earlyStopping, eosTokenIds } = merge(
      {},
      { num_beams: 4, top_k: null, early_stopping: true, eos_token_id: [1, 2] },
    );
    assert.deepEqual([numBeams, topK, earlyStopping, [...eosTokenIds]], [4, 50, "true", [1, 2]]);
  });

  it("give way to the options of the call", () => {
    const { numBeams, eosTokenIds } = merge({ numBeams: 2, eosTokenId: [] }, { num_beams: 4, eos_token_id: 1 });
    assert.deepEqual([numBeams, [...eosTokenIds]], [2, []]);
  });

  it("pad with the pad id, else with the first end id", () => {
    assert.equal(merge({}).padTokenId, 0);
    assert.equal(merge({}, { eos_token_id: [7, 8] }).padTokenId, 7);
    assert.equal(merge({ padTokenId: 3 }).padTokenId, 3);
    assert.equal(merge({ eosTokenId: [] }).padTokenId, 0, "a stop string may end a row before others");
    assert.equal(merge({}, { pad_token_id: 0 }).padTokenId, -1, "Hugging Face pads nothing without an end id");
  });

  it("start with the file's decoder start id, else its bos id", () => {
    const start = (file: object) => readFileSettings(parseGenerationConfig(file), VOCAB_SIZE).decoderStartTokenId;
    assert.equal(start({ decoder_start_token_id: 3, bos_token_id: 4 }), 3);
    assert.equal(start({ bos_token_id: 4 }), 4);
    assert.equal(start({}), undefined);
  });

  it("have a random seed where sampling has none", () => {
    const seeds = new Set(Array.from({ length: 4 }, () => merge({ doSample: true }).seed));
    assert.equal(seeds.size, 4);
  });
});

describe("lengths", () => {
  const cases: readonly (readonly [promise: string, options: object, file: object, prompt: number, max: number])[] = [
    ["20 new tokens where nobody says anything", {}, {}, 5, 25],
    ["maxLength with the prompt", { maxLength: 9 }, {}, 5, 9],
    ["maxNewTokens behind the prompt", { maxNewTokens: 9 }, {}, 5, 14],
    ["the file's maxLength with the prompt", {}, { max_length: 9 }, 5, 9],
    ["the file's maxNewTokens behind the prompt", {}, { max_new_tokens: 9 }, 5, 14],
    ["maxNewTokens rather than the file's maxLength", { maxNewTokens: 3 }, { max_length: 9 }, 5, 8],
    ["the file's maxNewTokens rather than maxLength", { maxLength: 30 }, { max_new_tokens: 3 }, 5, 8],
    ["maxLength rather than the file's", { maxLength: 30 }, { max_length: 9 }, 5, 30],
  ];
  for (const [promise, options, file, promptLength, max] of cases) {
    it(`count ${promise}, as Hugging Face does`, () => {
      assert.equal(merge(options, { ...ends, ...file }, { promptLength }).maxLength, max);
    });
  }

  it("make minNewTokens a least length behind the prompt", () => {
    const { minLength, minNewTokens } = merge({ minNewTokens: 4 }, ends, { promptLength: 3 });
    assert.deepEqual([minLength, minNewTokens], [7, 4]);
  });

  it("ignore what the file says of a least length that can't be", () => {
    assert.equal(merge({ maxNewTokens: 2 }, { ...ends, min_length: 30 }).minLength, 30);
    assert.equal(merge({}, { min_length: 30 }).minLength, 30, "without an end id, too");
  });
});

describe("options of generate", () => {
  it("are as torch.manual_seed takes seeds", () => {
    const seed = (value: number | bigint) => merge({ doSample: true, seed: value }).seed;
    assert.equal(seed(0), 0n);
    assert.equal(seed(7), 7n);
    assert.equal(seed(-1), 0xffff_ffff_ffff_fffen);
    assert.equal(seed(-(2n ** 63n)), 0x7fff_ffff_ffff_ffffn);
    assert.equal(seed(2n ** 64n - 1n), 2n ** 64n - 1n);
  });

  it("leave bad words out that are an end id alone, and each but one of the same", () => {
    const badWordsIds = [[1], [5, 1], [5], Int32Array.of(5)];
    assert.deepEqual(plain(merge({ badWordsIds }).badWordsIds), [[5, 1], [5]]);
  });

  it("keep the last bias of a sequence, at the place of its first", () => {
    const sequenceBias = [
      [[5], 1],
      [[6, 7], Number.NEGATIVE_INFINITY],
      [[5], 2],
    ];
    assert.deepEqual(plain(merge({ sequenceBias }).sequenceBias), [
      { ids: [5], bias: 2 },
      { ids: [6, 7], bias: Number.NEGATIVE_INFINITY },
    ]);
  });

  it("take one id or many, one stop string or many, and no ids to suppress", () => {
    const options = merge({ eosTokenId: 5, forcedEosTokenId: [5, 6], stopStrings: "a", suppressTokens: [] });
    const { eosTokenIds, forcedEosTokenIds, stopStrings, suppressTokens } = options;
    assert.deepEqual(plain([eosTokenIds, forcedEosTokenIds, stopStrings]), [[5], [5, 6], ["a"]]);
    assert.equal(suppressTokens, undefined);
  });

  it("that change nothing are taken where they have no effect, as in Hugging Face", () => {
    merge({ temperature: 1, topK: 50, topP: 1, typicalP: 1, epsilonCutoff: 0, etaCutoff: 0 });
    merge({ lengthPenalty: 1, earlyStopping: false, minLength: 0 }, {});
    merge({ minNewTokens: 0, doSample: false }, {});
  });

  it("of the file have no effect where they have none in Hugging Face", () => {
    const file = { ...ends, temperature: 0.5, length_penalty: 2, early_stopping: true, min_p: 0.1, custom_entry: 3 };
    assert.equal(merge({}, file).doSample, false);
  });

  it("are copied", () => {
    const eosTokenId = [5];
    const badWordsIds = [[7, 8]];
    const options = merge({ eosTokenId, badWordsIds });
    eosTokenId[0] = 6;
    badWordsIds[0]?.fill(9);
    assert.deepEqual(plain([options.eosTokenIds, options.badWordsIds]), [[5], [[7, 8]]]);
  });

  const wrong: readonly (readonly [promise: string, options: object, message: RegExp, file?: object])[] = [
    ["both greatest lengths", { maxLength: 5, maxNewTokens: 5 }, /only one of maxNewTokens and maxLength for options/],
    ["both least lengths", { minLength: 5, minNewTokens: 5 }, /only one of minNewTokens and minLength for options/],
    ["a length that the prompt has", { maxLength: 1 }, /more than 1, .* for options.maxLength but received 1/],
    ["a least length over the greatest", { minLength: 9, maxLength: 5 }, /at most 5, .* options.minLength .* 9/],
    ["more least tokens than tokens", { minNewTokens: 9, maxNewTokens: 5 }, /at most 5, .* options.minNewTokens .* 9/],
    ["more least tokens than usual", { minNewTokens: 21 }, /at most 20, .* options.minNewTokens .* 21/],
    ["a least length without an end", { minLength: 5 }, /an eosTokenId beside it for options.minLength/, {}],
    ["least tokens without an end", { minNewTokens: 5, eosTokenId: [] }, /an eosTokenId beside it for options.minNew/],
    ["a decay without an end", { exponentialDecayLengthPenalty: [1, 2] }, /an eosTokenId .* options.exponential/, {}],
    ["a temperature without sampling", { temperature: 0.5 }, /options.doSample of true .* options.temperature .* 0.5/],
    ["topK without sampling", { topK: 5 }, /options.doSample of true beside it for options.topK/],
    ["topK of all without sampling", { topK: 0 }, /for options.topK/],
    ["topP without sampling", { topP: 0.5 }, /for options.topP/],
    ["minP without sampling", { minP: 0 }, /for options.minP/],
    ["typicalP without sampling", { typicalP: 0.5 }, /for options.typicalP/],
    ["epsilonCutoff without sampling", { epsilonCutoff: 0.1 }, /for options.epsilonCutoff/],
    ["etaCutoff without sampling", { etaCutoff: 0.1 }, /for options.etaCutoff/],
    ["a seed without sampling", { seed: 1 }, /options.doSample of true beside it for options.seed but received 1n/],
    ["sampling switched off", { doSample: false, topP: 0.5 }, /for options.topP/, { ...ends, do_sample: true }],
    ["a length penalty without beams", { lengthPenalty: 2 }, /options.numBeams over 1 .* options.lengthPenalty/],
    ["early stopping without beams", { earlyStopping: "never" }, /options.numBeams over 1 .* options.earlyStopping/],
    ["more sequences than beams", { numBeams: 2, numReturnSequences: 3 }, /at most 2, .* options.numReturnSequences/],
    ["several greedy sequences", { numReturnSequences: 2 }, /neither beams nor sampling, .* options.numReturnSequ/],
    ["fewer beams than the file's sequences", { numBeams: 2 }, /at most 2/, { num_return_sequences: 3, num_beams: 3 }],
    [
      "a forced first id that is suppressed",
      { forcedBosTokenId: 5, suppressTokens: [4, 5] },
      /an id that suppressTokens lacks for options.forcedBosTokenId but received 5/,
    ],
    [
      "forced end ids that are suppressed",
      { forcedEosTokenId: [1, 5], suppressTokens: [1, 5] },
      /an id that suppressTokens lacks for options.forcedEosTokenId but received 1, 5/,
    ],
    ["end ids without room", { numBeams: 2, eosTokenId: Array(100).fill(1) }, /at most 99 ids, .* options.eosTokenId/],
    ["more beams than int32 can count", { numBeams: 2 ** 24 }, /for options.numBeams but received 16777216/],
    [
      "more sequences than int32 can count",
      { doSample: true, numReturnSequences: 2 ** 24 },
      /for options.numReturnSequences but received 16777216/,
    ],
    ["more tokens than int32 can count", { maxNewTokens: 2 ** 31 - 1 }, /at most 2147483647 for options.maxNewTokens/],
    ["a length that sequences can't have", { maxNewTokens: 2 ** 30 }, /at most \d+ for 2 sequences .* 1073741825/],
  ];
  for (const [promise, options, message, file = ends] of wrong) {
    it(`are refused: ${promise}`, () => {
      assert.throws(() => merge(options, file), { code: "ERR_INVALID_ARGUMENT", message });
    });
  }

  it("are refused: stop strings for a model without a tokenizer", () => {
    assert.throws(() => merge({ stopStrings: "a" }, ends, { hasTokenizer: false }), {
      code: "ERR_INVALID_ARGUMENT",
      message: /a model with a tokenizer beside it for options.stopStrings/,
    });
  });
});

describe("generation_config.json", () => {
  const wrong: readonly (readonly [setting: object, code: string, message: RegExp])[] = [
    [{ num_beams: "4" }, "ERR_MODEL_CORRUPT", /for num_beams in generation_config.json but received "4"/],
    [{ eos_token_id: [1, 100] }, "ERR_MODEL_CORRUPT", /for eos_token_id in generation_config.json\[1\] .* 100/],
    [{ decoder_start_token_id: 100 }, "ERR_MODEL_CORRUPT", /decoder_start_token_id in generation_config.json .* 100/],
    [{ num_beam_groups: 2 }, "ERR_INVALID_ARGUMENT", /group beam search .* num_beam_groups in generation_config.json/],
    [{ diversity_penalty: 0.5 }, "ERR_INVALID_ARGUMENT", /for diversity_penalty in generation_config.json .* 0.5/],
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
      assert.throws(() => merge({}, setting), { code, message });
    });
  }

  it("may have what changes nothing", () => {
    merge(
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
