import assert from "node:assert/strict";
import { demoModel, type Precision, T5EncoderModel } from "torch-t5";
import { assertSameShape, type ReferenceTensor, takeFloats } from "./comparing.js";
import { assertClose, TOLERANCE } from "./fused/tolerances.js";
import { SEED } from "./models.js";
import { sharedReference } from "./subject.js";

const PREPARATION_MS = 300_000;
/** See test/parity/reference/sentences.py. */
const DIRECTORIES = [
  "mean, dense, normalize",
  "cls, dense with bias and tanh, default prompt",
  "mean without the prompt, dense, normalize",
  "every pooling",
  "every pooling without the prompt",
  "max, normalize, dense with gelu, dense with relu",
  "lasttoken, dense with silu, dense with sigmoid",
  "weightedmean",
  "legacy",
] as const;
const WITH_PROMPTS = DIRECTORIES.filter((name) => /prompt|every|weightedmean/.test(name));
/**
 * Times the largest number, or 1 if that is smaller: sentence-transformers sorts texts by their length and pads other batches,
 * so that sums over positions may be rounded otherwise. Numbers without normalization are up to 5.
 */
const ROUNDING = 1e-6;
const TEXTS = [
  "spell number: 48213",
  "",
  "a",
  "  two  spaces, and\na line  ",
  "date to iso: March 5, 2021 ".repeat(9),
  "The harbour of Lowmere is old.",
  "x",
  "seven",
  "forty-eight thousand two hundred thirteen",
];

interface Options {
  readonly prompt?: string;
  readonly promptName?: string;
  readonly normalize?: boolean;
  readonly batchSize?: number;
}

describe("embeddings of sentence-transformers directories", () => {
  for (const [number, name] of DIRECTORIES.entries()) {
    describe(name, () => {
      const models = new Map<Precision, T5EncoderModel>();
      let paths = { directory: "", source: "" };
      const model = (precision: Precision) => {
        const found = models.get(precision);
        assert.ok(found !== undefined);
        return found;
      };

      before(async function () {
        this.timeout(PREPARATION_MS);
        const fields = { name, number, tokenizer: demoModel, seed: SEED + number };
        paths = await sharedReference().request<{ directory: string; source: string }>("makeSentences", fields);
        for (const precision of ["exact", "float32", "int8"] as const) {
          const options = { device: "cpu", intraOpThreads: 1, precision } as const;
          models.set(precision, await T5EncoderModel.fromPretrained(paths.directory, options));
        }
      });

      after(async () => {
        for (const loaded of models.values()) await loaded.dispose();
      });

      /** Compares `embed` with `encode`, whose modules of some classes are left out. */
      async function compare(own: object, options: Options = {}, without: readonly string[] = []): Promise<void> {
        const fields = { name, threads: 1, texts: TEXTS, without, ...options };
        const { embeddings } = await sharedReference().request<{ embeddings: ReferenceTensor }>(
          "encodeSentences",
          fields,
        );
        const expected = takeFloats(sharedReference(), embeddings);
        for (const [precision, tolerance] of [
          ["exact", ROUNDING],
          ["float32", TOLERANCE],
        ] as const) {
          const received = await model(precision).embed(TEXTS, { ...options, ...own });
          assertSameShape("embeddings", received, embeddings);
          const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 1);
          assertClose(`embeddings in ${precision}`, received.data, expected, tolerance * largest);
        }
      }

      it("are those of encode", () => compare({}));
      it("are those of encode in batches of 2", () => compare({}, { batchSize: 2 }));
      it("are those of encode, normalized", () => compare({}, { normalize: true }));
      it("are those of encode with a prompt", () => compare({}, { prompt: "spell number: seven " }));
      it("are those of encode without a prompt", () => compare({}, { prompt: "" }));
      it("are those of encode with the prompt that every model has", () => compare({}, { promptName: "query" }));
      it("are those without dense modules", async () => {
        await compare({ dense: false }, {}, ["Dense"]);
        await compare({ dense: false, normalize: false }, {}, ["Dense", "Normalize"]);
      });
      it("are those without normalization", () => compare({ normalize: false }, {}, ["Normalize"]));

      if (WITH_PROMPTS.includes(name)) {
        it("are those of encode with each of its prompts, the one that exceeds the maximum length included", async () => {
          const { prompts } = model("exact").embeddingConfig ?? {};
          assert.deepEqual(Object.keys(prompts ?? {}).sort(), ["document", "empty", "long", "query"]);
          for (const promptName of Object.keys(prompts ?? {})) await compare({}, { promptName });
        });
      }

      for (const precision of ["float32", "int8"] as const) {
        it(`of a text do not depend, in any bit, on the other texts in ${precision}`, async () => {
          const together = await model(precision).embed(TEXTS);
          for (const [row, text] of TEXTS.entries()) {
            assert.deepEqual(
              (await model(precision).embed(text)).data,
              together.row(row),
              `of ${JSON.stringify(text)}`,
            );
          }
        });
      }

      for (const precision of ["float32", "bfloat16", "int8"] as const) {
        it(`are, in every bit, those of the directory without an export in ${precision}`, async () => {
          const options = { device: "cpu", intraOpThreads: 1, precision } as const;
          await using direct = await T5EncoderModel.fromPretrained(paths.source, options);
          await using exported = await T5EncoderModel.fromPretrained(paths.directory, options);
          assert.deepEqual(direct.embeddingConfig, exported.embeddingConfig);
          for (const promptName of Object.keys(exported.embeddingConfig?.prompts ?? {})) {
            const expected = await exported.embed(TEXTS, { promptName });
            assert.deepEqual((await direct.embed(TEXTS, { promptName })).data, expected.data);
          }
          assert.deepEqual((await direct.embed(TEXTS)).data, (await exported.embed(TEXTS)).data);
        });
      }

      it("of ids and of an encoder output are those of their text", async () => {
        const { tokenizer, embeddingConfig } = model("exact");
        const expected = await model("exact").embed(TEXTS, { prompt: "" });
        const ids = tokenizer?.encodeBatch(TEXTS, { maxLength: embeddingConfig?.maxSeqLength });
        assert.ok(ids !== undefined);
        assert.deepEqual((await model("exact").embed(ids)).data, expected.data);
        using encoded = await model("exact").encode(ids);
        assert.deepEqual((await model("exact").embed(encoded)).data, expected.data);
      });
    });
  }
});
