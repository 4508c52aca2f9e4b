// What a device refuses, and with which error code; and that the model still computes afterwards.
import { demoModel, type LoadOptions, runtimeInfo, T5Error, T5ForConditionalGeneration } from "torch-t5";

import { testDevice } from "../../parity/models.js";
import { runToEnd } from "../../support/program.js";
import type { Finding, Settings } from "./settings.js";

const INPUT = { inputIds: [[5, 6, 7]], decoderInputIds: [[0, 4]] };
const isOnGpu = testDevice !== "cpu";

/** One finding for each refusal. */
export async function* refusals({ precision }: Settings): AsyncIterable<Finding> {
  const load = (options: LoadOptions) =>
    T5ForConditionalGeneration.fromPretrained(demoModel, { precision, ...options });

  yield await codeOf("device cuda:99", "ERR_DEVICE_UNAVAILABLE", () => load({ device: "cuda:99" }));
  yield await withoutGpus();
  if (isOnGpu) {
    const loadInt8 = () => load({ device: testDevice, precision: "int8" });
    yield await codeOf("int8 on a GPU", "ERR_INVALID_ARGUMENT", loadInt8);
  }

  const wanted = runtimeInfo().cudaDevices.length > 0 ? "cuda:0" : "cpu";
  await using automatic = await load({ device: "auto" });
  yield { subject: "device auto", passed: automatic.device === wanted, measured: { received: automatic.device } };

  await using t5 = await load({ device: testDevice });
  const expected = (await t5.forward(INPUT)).logits.data;
  const { vocabSize } = t5.config;
  const outOfRange = () => t5.forward({ ...INPUT, inputIds: [[vocabSize]] });
  yield await codeOf("an id past the vocabulary", "ERR_TOKEN_OUT_OF_RANGE", outOfRange);
  using session = (await t5.encode({ inputIds: INPUT.inputIds })).startDecoding();
  yield await codeOf("a row that doesn't exist", "ERR_INVALID_ARGUMENT", async () => session.reorder([1]));
  const cancelled = t5.forward(INPUT, { signal: AbortSignal.abort() });
  yield { subject: "a cancelled call", ...(await rejected(cancelled, ({ name }) => name, "AbortError")) };
  const again = (await t5.forward(INPUT)).logits.data;
  const isSame = Buffer.from(again.buffer).equals(Buffer.from(expected.buffer));
  yield { subject: "the next call's bits", passed: isSame, measured: { received: isSame ? "equal" : "different" } };
}

function codeOf(subject: string, code: string, run: () => Promise<unknown>): Promise<Finding> {
  const received = (error: Error) => (error instanceof T5Error ? error.code : error.message);
  return rejected(run(), received, code).then((outcome) => ({ subject, ...outcome }));
}

async function rejected(
  call: Promise<unknown>,
  describe: (error: Error) => string,
  wanted: string,
): Promise<Omit<Finding, "subject">> {
  const received = await call.then(
    () => "no error",
    (error: Error) => describe(error),
  );
  return { passed: received === wanted, measured: { received } };
}

/** Without a visible GPU: in its own process, because the driver is queried once in a process. */
async function withoutGpus(): Promise<Finding> {
  const program = `import { demoModel, T5ForConditionalGeneration } from "torch-t5";
    await T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cuda" }).catch(({ code }) => console.log(code));`;
  const args = ["--input-type=module", "--eval", program];
  const { stdout, stderr } = await runToEnd(process.execPath, args, { env: { CUDA_VISIBLE_DEVICES: "" } });
  const received = stdout.trim() || stderr.trim().slice(-200) || "no error";
  return { subject: "device cuda, no GPU", passed: received === "ERR_DEVICE_UNAVAILABLE", measured: { received } };
}
