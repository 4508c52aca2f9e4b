import assert from "node:assert/strict";
import { type GenerateInput, type GenerateOptions, type GenerateResult, Tensor } from "torch-t5";
import { askGenerate, assertSameGeneration, type Request } from "./generating.js";
import { baseOptions } from "./habits.js";
import { describeThreads, type Subject, useSubject } from "./subject.js";

const THREADS = 1;
/** Ids with the pad id at the end, at the start, in the middle, and nowhere. */
const PADDED = [
  [37, 171, 1, 0, 0],
  [0, 37, 3, 9, 1],
  [37, 0, 3, 0, 1],
  [37, 171, 3, 9, 1],
];
const MASK = PADDED.map((row) => row.map((id) => (id === 0 ? 0 : 1)));
const STRATEGIES: Readonly<Record<string, GenerateOptions>> = {
  greedy: {},
  "three beams": { numBeams: 3, numReturnSequences: 2 },
};
/** What decides in Hugging Face whether the mask of a decoder without an encoder is inferred. */
const SPECIAL_IDS: Readonly<Record<string, GenerateOptions>> = {
  "the file's pad id": {},
  "another pad id": { padTokenId: 37 },
  "a pad id that ends sequences": { eosTokenId: [0, 1] },
  "no end id": { eosTokenId: [] },
};

for (const name of ["t5-v1.1", "umt5"] as const) {
  describe(`masks of generate are Hugging Face's: ${name}, ${describeThreads(THREADS)}`, () => {
    const subject = useSubject(name, "exact", THREADS);
    const all = { maxNewTokens: 6, ...baseOptions(name) };

    for (const [strategy, search] of Object.entries(STRATEGIES)) {
      for (const [title, ids] of Object.entries(SPECIAL_IDS)) {
        it(`without a mask, padding is read as any other id: ${strategy}, ${title}`, async () => {
          const options = { ...all, ...search, ...ids };
          const expected = await ask(subject, { inputIds: PADDED, options });
          const received = await run(subject, { inputIds: PADDED }, options);
          assertSameGeneration(received, expected, subject.reference());
          const masked = await run(subject, { inputIds: PADDED, attentionMask: MASK }, options);
          assert.notDeepEqual(masked.logits?.[0]?.data, received.logits?.[0]?.data);
        });
      }

      it(`every form of ids gives the same: ${strategy}`, async () => {
        const options = { ...all, ...search };
        const data = Int32Array.from(PADDED.flat());
        const shape = [PADDED.length, 5] as const;
        const forms: readonly GenerateInput[] = [
          { inputIds: PADDED.map((row) => row.map(BigInt)) },
          { inputIds: { data, shape } },
          { inputIds: new Tensor(data, shape) },
          { inputIds: data, shape },
        ];
        for (const form of forms) {
          const expected = await ask(subject, { inputIds: PADDED, options });
          assertSameGeneration(await run(subject, form, options), expected, subject.reference());
        }
      });

      if (strategy === "greedy") {
        it("stream reads padding as generate does", async () => {
          for (const row of PADDED) {
            const { sequences } = await ask(subject, { inputIds: [row], options: all });
            const ids: number[] = [];
            for await (const { tokenId } of subject.t5().stream({ inputIds: [row] }, all)) ids.push(tokenId);
            assert.deepEqual(ids, sequences[0]?.slice(1));
          }
        });
      }

      it(`after encode, the decoder has the encoder's mask: ${strategy}`, async () => {
        const options = { ...all, ...search };
        for (const source of [{ inputIds: PADDED }, { inputIds: PADDED, attentionMask: MASK }]) {
          using encoded = await subject.t5().encode(source);
          const received = await run(subject, encoded, options);
          const expected = await ask(subject, { ...source, options, encodeFirst: "withMask" });
          assertSameGeneration(received, expected, subject.reference());
        }
      });

      it(`encoder_outputs without attention_mask are another call: ${strategy}`, async () => {
        const options = { ...all, ...search };
        const source = { inputIds: PADDED, attentionMask: MASK };
        using encoded = await subject.t5().encode(source);
        const received = await run(subject, encoded, options);
        const expected = await ask(subject, { ...source, options, encodeFirst: "withoutMask" });
        assert.throws(() => assertSameGeneration(received, expected, subject.reference()), assert.AssertionError);
      });
    }
  });
}

function ask(subject: Subject, request: Omit<Request, "model" | "threads">) {
  return askGenerate(subject.reference(), { model: subject.name, threads: THREADS, ...request });
}

function run(subject: Subject, input: GenerateInput, options: GenerateOptions): Promise<GenerateResult> {
  return subject.t5().generate(input, { ...options, returnLogits: true, returnScores: true });
}
