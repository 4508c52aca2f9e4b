// Two replicas on the device: the answers of one model, heads and dense layers included, and both have calls.
import { T5ForConditionalGeneration } from "torch-t5";
import { makeCase } from "../../parity/cases.js";
import { testDevice } from "../../parity/models.js";
import type { Finding, Settings } from "./settings.js";
import { directoryOf, EMBEDDED } from "./subject.js";

const CALLS = 16;
const OPTIONS = { maxNewTokens: 12, eosTokenId: [] };

/** One finding for each kind of call. */
export async function* replicas(settings: Settings): AsyncIterable<Finding> {
  const directory = directoryOf(EMBEDDED, settings);
  const { precision } = settings;
  const device = testDevice as "cpu" | "cuda";
  await using one = await T5ForConditionalGeneration.fromPretrained(directory, { device, precision });
  await using two = await T5ForConditionalGeneration.fromPretrained(directory, {
    replicas: [device, device],
    precision,
  });
  const inputs = Array.from({ length: CALLS }, (_, index) => {
    const shape = { batch: 1, sourceLength: 4 + index, targetLength: 3, masking: "none" } as const;
    const { labels: _labels, ...input } = makeCase(shape, one.config.vocabSize);
    return input;
  });
  const calls: Readonly<
    Record<string, (t5: T5ForConditionalGeneration, input: (typeof inputs)[number]) => Promise<Bits>>
  > = {
    forward: async (t5, input) => (await t5.forward(input)).logits.data,
    generate: async (t5, { inputIds }) => (await t5.generate({ inputIds }, OPTIONS)).sequences.data,
    stream: async (t5, { inputIds }) => {
      const ids: number[] = [];
      for await (const { tokenId } of t5.stream({ inputIds }, OPTIONS)) ids.push(tokenId);
      return Int32Array.from(ids);
    },
    session: async (t5, { inputIds, decoderInputIds }) => {
      using encoded = await t5.encode({ inputIds });
      using session = encoded.startDecoding();
      return (await session.prefill(decoderInputIds)).logits.data;
    },
  };
  for (const [subject, call] of Object.entries(calls)) {
    const expected: Bits[] = [];
    for (const input of inputs) expected.push(await call(one, input));
    const received = await Promise.all(inputs.map((input) => call(two, input)));
    const equal = received.filter((data, index) => sameBits(data, expected[index])).length;
    yield { subject, passed: equal === CALLS, measured: { "equal bits": `${equal} of ${CALLS}` } };
  }
  const steps = two.stats().replicas.map((replica) => replica.steps);
  yield {
    subject: "both decoded",
    passed: steps.every((count) => count > 0),
    measured: { "equal bits": steps.join(", ") },
  };
}

type Bits = Float32Array | Int32Array;

function sameBits(one: Bits, other: Bits | undefined): boolean {
  const bytes = (data: Bits) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return other !== undefined && bytes(one).equals(bytes(other));
}
