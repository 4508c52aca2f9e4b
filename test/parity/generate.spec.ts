import assert from "node:assert/strict";
import { demoModel, type GenerateOptions, type T5ForConditionalGeneration } from "torch-t5";
import { Reference } from "../support/reference.js";
import { makeCase, type Shape } from "./cases.js";
import { type GenerateCase, generateCases, type Habits } from "./generate-cases.js";
import { askGenerate, assertSameGeneration, editScores, type ReferenceGeneration } from "./generating.js";
import { learnHabits } from "./habits.js";
import { load, makeFamily, openExported, type Prepared } from "./models.js";

const EMBEDDED = "the embedded model";
const NAMES = ["t5", "t5-v1.1", "mt5", "umt5", "byt5", EMBEDDED] as const;
/** With more threads the work is split: some of the cases show that both sides split it alike. */
const RUNS = [
  ...NAMES.map((name, seed) => ({ name, threads: 1, cases: generateCases(seed) })),
  ...(["t5-v1.1", EMBEDDED] as const).map((name, seed) => ({
    name,
    threads: 2,
    cases: generateCases(seed).filter((_, index) => index % 5 === 1),
  })),
];
const SHAPES: Readonly<Record<GenerateCase["source"], Shape>> = {
  batch: { batch: 3, sourceLength: 9, targetLength: 1, masking: "right" },
  row: { batch: 1, sourceLength: 7, targetLength: 1, masking: "none" },
};
const TEXTS: Readonly<Record<GenerateCase["source"], readonly string[]>> = {
  batch: ["spell number: 48213", "date to iso: March 5, 2021", "spell number: 7"],
  row: ["date to iso: 3/5/2021"],
};
/** With tied random weights, a token is most like itself: without this, all rows would repeat one for ever. */
const BASE: Readonly<Partial<Record<string, GenerateOptions>>> = { t5: { noRepeatNgramSize: 2 } };

interface Source {
  readonly inputIds: number[][];
  readonly attentionMask?: number[][];
}

describe("generate is Hugging Face's: sequences and beams equal, logits and scores bit by bit", () => {
  let reference: Reference;
  const prepared = new Map<string, Promise<Prepared>>();

  before(() => {
    reference = new Reference();
  });

  after(() => reference.close());

  const prepare = (name: (typeof NAMES)[number]) => {
    const found = prepared.get(name);
    const made = found ?? (name === EMBEDDED ? openExported(reference, name, demoModel) : makeFamily(reference, name));
    prepared.set(name, made);
    return made;
  };

  for (const { name, threads, cases } of RUNS) {
    describe(`${name}, with ${threads} ${threads === 1 ? "thread" : "threads"}`, () => {
      let t5: T5ForConditionalGeneration;
      let sources: Readonly<Record<GenerateCase["source"], Source>>;
      let habits: Habits;
      const seen: ReferenceGeneration[] = [];

      before(async function () {
        this.timeout(300_000);
        const made = await prepare(name);
        t5 = await load(made.directory, threads);
        sources = { batch: await makeSource("batch", made), row: await makeSource("row", made) };
        const options = BASE[name] ?? {};
        habits = await learnHabits(reference, { model: name, threads, ...sources.batch, options });
      });

      after(() => t5?.dispose());

      async function makeSource(kind: GenerateCase["source"], { vocabSize }: Prepared): Promise<Source> {
        if (name === EMBEDDED) return reference.request("tokenize", { model: name, texts: TEXTS[kind] });
        const { inputIds, attentionMask } = makeCase(SHAPES[kind], vocabSize);
        return attentionMask === undefined ? { inputIds } : { inputIds, attentionMask };
      }

      for (const { name: title, source, options, prefix, edits } of cases) {
        it(title, async () => {
          const begin = prefix?.(habits);
          const input = {
            ...sources[source],
            ...(begin === undefined ? {} : { decoderInputIds: sources[source].inputIds.map(() => begin) }),
          };
          const chosen = { ...BASE[name], ...options(habits) };
          const editing = edits?.(habits);
          const [expected, received] = await Promise.all([
            askGenerate(reference, {
              model: name,
              threads,
              ...input,
              options: chosen,
              ...(editing === undefined ? {} : { edits: editing }),
            }),
            t5.generate(input, {
              ...chosen,
              ...(editing === undefined ? {} : { logitsProcessor: editScores(editing) }),
              returnLogits: true,
              returnScores: true,
            }),
          ]);
          assertSameGeneration(received, expected, reference);
          seen.push(expected);
        });
      }

      if (threads > 1) return;

      it("the cases above end early, at different steps, and change beams", () => {
        const steps = seen.map(({ logits }) => logits.shape[0] ?? 0);
        assert.ok(steps.filter((count) => count < 12).length >= 10, "searches that end before the last step");
        const ragged = seen.filter(
          ({ beamIndices }) => new Set(beamIndices?.map((row) => row.filter((beam) => beam >= 0).length)).size > 1,
        );
        assert.ok(ragged.length >= 10, "sequences of one search that end at different steps");
        const crossed = seen.filter(({ beamIndices }) =>
          beamIndices?.some((row) => new Set(row.filter((beam) => beam >= 0)).size > 1),
        );
        assert.ok(crossed.length >= 10, "sequences that come from several beams");
      });
    });
  }
});
