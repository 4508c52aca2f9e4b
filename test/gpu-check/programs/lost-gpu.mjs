// Loses the GPU while a head runs: `node lost-gpu.mjs <head> <device> <precision>`. Prints the error codes of that call and of the
// next ones, and whether the model can be disposed of, as a line of JSON.
import { argv, stdout } from "node:process";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";

const [, , path, device, precision] = argv;
const INPUT = { inputIds: [[5, 6, 7]], decoderInputIds: [[0, 4]] };
const codeOf = (call) =>
  call.then(
    () => "no error",
    ({ code, message }) => code ?? message,
  );

const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, { device, precision });
const before = await codeOf(t5.forward(INPUT));
const head = await t5.loadHead(path);
const codes = {
  "a call before": before,
  "the call that fails": await codeOf(t5.forward(INPUT, { head })),
  "the next forward": await codeOf(t5.forward(INPUT)),
  "the next generate": await codeOf(t5.generate({ inputIds: INPUT.inputIds }, { maxNewTokens: 2 })),
  "the next load": await codeOf(T5ForConditionalGeneration.fromPretrained(demoModel, { device, precision })),
  dispose: await codeOf(t5.dispose()),
};
stdout.write(`${JSON.stringify(codes)}\n`);
