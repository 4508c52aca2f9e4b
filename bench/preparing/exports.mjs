// Makes the checkpoints with random weights, and exports them with each peer's own tool. They are made once, and kept in bench/.work.
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "../../scripts/setup/paths.mjs";
import { MODELS } from "../data/models.mjs";
import { runProgram } from "../running/processes.mjs";
import { interpreter } from "./environments.mjs";

const work = join(root, "bench", ".work");
/** Part of the exports' paths. Increase it when the checkpoint or an export changes, so that none of an earlier version is used. */
const VERSION = 1;

const CACHED = "text2text-generation-with-past";
const PLAIN = "text2text-generation";

const optimum = (kind, environment, task, options = []) => ({
  environment,
  from: "hugging-face",
  command: (source, target) => [
    ...["-m", "optimum.commands.optimum_cli", "export", kind, "--model", source, "--task", task],
    ...options,
    target,
  ],
});

/** In the layout of transformers.js: the graphs are in a folder, and copies of the configuration files next to it. */
const onnx = (task) => ({
  ...optimum("onnx", "onnx", task),
  subfolder: "onnx",
  copied: ["config.json", "generation_config.json"],
});
const openvino = (task, format) => optimum("openvino", "openvino", task, ["--weight-format", format]);
const ctranslate2 = (quantization) => ({
  environment: "ctranslate2",
  from: "hugging-face",
  command: (source, target) => [
    ...["-m", "ctranslate2.converters.transformers", "--model", source],
    ...["--output_dir", target, "--quantization", quantization],
  ],
});

/** The directory of T5's own tokenizer where it is present, else of the embedded model's. */
function tokenizerDirectory() {
  const t5 = join(root, "..", "shared", "t5-tokenizer");
  return existsSync(t5) ? t5 : join(root, "models", "demo");
}

/** The exports: the environment of the tool, the export `from` which it is made, and the arguments of the environment's Python. */
const EXPORTS = {
  "hugging-face": {
    environment: "project",
    command: (_, target, sizes) => [join(root, "bench", "preparing", "checkpoint.py"), target, JSON.stringify(sizes)],
  },
  // The tokenizer of the checkpoint is one that other peers need, and torch-t5 refuses.
  checkpoint: {
    environment: "project",
    from: "hugging-face",
    command: (source, target) => [
      "-c",
      "import shutil, sys; shutil.copytree(*sys.argv[1:], ignore=shutil.ignore_patterns('token*'), dirs_exist_ok=True)",
      ...[source, target],
    ],
  },
  // The same with a tokenizer that torch-t5 and Hugging Face read, for requests of texts.
  served: {
    environment: "project",
    from: "checkpoint",
    command: (source, target) => [
      "-c",
      "import shutil, sys; shutil.copytree(*sys.argv[1:3]); shutil.copy(sys.argv[3], sys.argv[2])",
      ...[source, target, join(tokenizerDirectory(), "tokenizer.json")],
    ],
  },
  "torch-t5": {
    environment: "project",
    from: "hugging-face",
    command: (source, target) => [join(root, "scripts", "export"), source, target, "--no-tokenizer"],
  },
  onnx: onnx(CACHED),
  "onnx-plain": onnx(PLAIN),
  "openvino-float32": openvino(CACHED, "fp32"),
  "openvino-float32-plain": openvino(PLAIN, "fp32"),
  "openvino-int8": openvino(CACHED, "int8"),
  "openvino-int8-plain": openvino(PLAIN, "int8"),
  "ctranslate2-float32": ctranslate2("float32"),
  "ctranslate2-int8": ctranslate2("int8"),
};

/** Makes an export of a model, unless it exists. Resolves to its directory. */
export async function prepareExport(model, name) {
  const { environment, from, command, subfolder, copied = [] } = EXPORTS[name];
  const directory = join(work, "models", `${model}-${VERSION}`, name);
  if (existsSync(directory)) return directory;
  const source = from && (await prepareExport(model, from));
  mkdirSync(dirname(directory), { recursive: true });
  const partial = `${directory}.partial`;
  rmSync(partial, { recursive: true, force: true });
  const target = subfolder ? join(partial, subfolder) : partial;
  if (subfolder) mkdirSync(partial);
  await runProgram(`export-${model}-${name}`, interpreter(environment, ".py"), command(source, target, MODELS[model]));
  for (const file of copied) cpSync(join(target, file), join(partial, file));
  renameSync(partial, directory);
  return directory;
}

/** Makes the inputs of the tokenizer suite. Resolves to the tokenizers' directories by model name, and the file of texts. */
export async function prepareTokenizers() {
  const directory = join(work, "tokenizer");
  const program = join(root, "bench", "preparing", "tokenizer_inputs.py");
  await runProgram("tokenizer-inputs", interpreter("project", ".py"), [program, directory]);
  return {
    tokenizer: tokenizerDirectory(),
    "tokenizer of 250,100 pieces": join(directory, "mt5"),
    texts: join(directory, "texts.json"),
  };
}
