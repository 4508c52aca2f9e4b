import assert from "node:assert/strict";
import type { GenerateOptions } from "torch-t5";
import { baseOptions } from "./habits.js";
import { describeThreads, useSubject } from "./subject.js";

const THREADS = 1;
const MODEL = "t5-v1.1";
const IDS = [
  [37, 171, 3, 9, 1],
  [9, 4, 37, 5, 1],
];
const STRATEGIES: Readonly<Record<string, GenerateOptions>> = {
  greedy: {},
  "three beams": { numBeams: 3, numReturnSequences: 2 },
  // So hot that top-H sampling excludes tokens that are sampled without it.
  sampling: { doSample: true, seed: 0, temperature: 2.5 },
};
/** Options of Hugging Face that this package lacks, with and without an effect there. */
const ADDED: readonly Readonly<Record<string, unknown>>[] = [
  { assistantConfidenceThreshold: 0.4 },
  { assistantEarlyExit: 1 },
  { assistantEnsembleWeight: 0.5 },
  { assistantEnsembleWeight: 1 },
  { assistantLookbehind: 10 },
  { assistantModel: null },
  { cacheConfig: { backend: "quanto" } },
  { cacheImplementation: "dynamic" },
  { cacheImplementation: "hybrid" },
  { cacheImplementation: "sliding_window" },
  { cacheImplementation: "static" },
  { cacheImplementation: "none" },
  { compileConfig: {} },
  { constraints: [] },
  { continuousBatchingConfig: {} },
  { disableCompile: true },
  { diversityPenalty: 0 },
  { diversityPenalty: 0.5 },
  { dolaLayers: "low" },
  { forceWordsIds: [[5]] },
  { guidanceScale: 1 },
  { guidanceScale: 1.5 },
  { isAssistant: false },
  { isAssistant: true },
  { lowMemory: false },
  { lowMemory: true },
  { maxCacheLen: 100 },
  { maxMatchingNgramSize: 2 },
  { numAssistantTokens: 20 },
  { numAssistantTokensSchedule: "constant" },
  { numBeamGroups: 0 },
  { numBeamGroups: 1 },
  { numBeamGroups: 3 },
  { numBeamGroups: 1, diversityPenalty: 0, useCache: true },
  { outputAttentions: false },
  { outputAttentions: true },
  { outputHiddenStates: false },
  { outputHiddenStates: true },
  { outputLogits: false },
  { outputLogits: true },
  { outputScores: false },
  { outputScores: true },
  { penaltyAlpha: 0 },
  { penaltyAlpha: 0.6 },
  { prefillChunkSize: 0 },
  { prefillChunkSize: 1 },
  { promptLookupNumTokens: 3 },
  { returnDictInGenerate: false },
  { returnDictInGenerate: true },
  { speculationType: "none" },
  { stoppingCriteria: [] },
  { streamer: null },
  { syncedGpus: false },
  { syncedGpus: true },
  { targetLookbehind: 10 },
  { tokenHealing: false },
  { tokenHealing: true },
  { topH: 0.4 },
  { trustRemoteCode: true },
  { useCache: false },
  { useCache: true },
  { useMtp: false },
  { useMtp: true },
  { watermarkingConfig: {} },
];

describe(`an option that generate lacks is accepted where it changes nothing in Hugging Face, ${describeThreads(THREADS)}`, () => {
  const subject = useSubject(MODEL, "exact", THREADS);

  for (const [strategy, search] of Object.entries(STRATEGIES)) {
    describe(strategy, () => {
      const seen = { accepted: 0, refused: 0 };

      for (const added of ADDED) {
        it(JSON.stringify(added), async () => {
          const options = { maxNewTokens: 6, ...baseOptions(MODEL), ...search };
          const { seed: _, ...others } = options;
          const request = { threads: THREADS, inputIds: IDS, options: others, added };
          const { effect } = await subject.ask<{ readonly effect: string }>("effect", request);
          const call = subject.t5().generate({ inputIds: IDS }, { ...options, ...added });
          if (effect === "nothing") {
            const plain = await subject.t5().generate({ inputIds: IDS }, options);
            assert.deepEqual((await call).sequences.data, plain.sequences.data);
            seen.accepted++;
          } else {
            await assert.rejects(call, { code: "ERR_INVALID_ARGUMENT" }, effect);
            seen.refused++;
          }
        });
      }

      it("some of them are accepted, and some refused", () => assert.ok(seen.accepted > 0 && seen.refused > 0));
    });
  }
});
