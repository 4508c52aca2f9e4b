// `torch-t5 export`: runs the exporter, which is written in Python.
import { type Command, EXIT } from "../terminal/command.js";
import { findPython, runToEnd, scriptPath } from "../terminal/installation.js";
import { printError } from "../terminal/output.js";

export const exportCommand: Command = {
  name: "export",
  summary: "Write a Hugging Face model in the form that torch-t5 runs",
  help: `torch-t5 export [options] <source> <directory>

Exports a T5, T5 v1.1, Flan-T5, mT5, UMT5 or ByT5 of Hugging Face, an encoder or a classifier of these, or a directory
of sentence-transformers. Traces Hugging Face's own module, compares the written archive with it on many inputs, and
keeps the export only if every logit is bitwise equal, or every hidden state of an encoder. Needs Python's torch and
transformers: torch-t5 setup --export

A model on the hub is downloaded into the cache that torch-t5 pull uses.

  <source>              a Hugging Face directory, or a name on the Hub such as google/flan-t5-small
  <directory>           the directory to write
  --no-tokenizer        export a model that takes only token ids
  --tokenizer <origin>  transformers: the tokenizer that AutoTokenizer makes (default); file: tokenizer.json as it is
  --encoder-only        export the encoder of a whole model
  --no-modules          export the encoder of a sentence-transformers directory without its pooling and other modules
  --revision <name>     a branch, tag or commit of the repository on the Hub
  --overwrite           replace an earlier export`,

  async run(args) {
    const python = findPython();
    if (python === undefined || python.missing.length > 0) {
      const found = python === undefined ? "no Python" : `${python.executable} without ${python.missing.join(", ")}`;
      printError(
        `torch-t5: Expected Python with torch and transformers but found ${found}; run \`npx torch-t5 setup --export\``,
      );
      return EXIT.failure;
    }
    return runToEnd(python.executable, [scriptPath("export"), ...args]);
  },
};
