// `torch-t5 embed`: one vector per text, as JSON Lines or as a safetensors file.
import { extname } from "node:path";
import { POOLINGS, T5EncoderModel, type TruncationOptions } from "../../index.js";
import { type Embedder, saveEmbeddings } from "../jsonl/embeddings-file.js";
import { type Job, jobOptions, jobOptionsHelp, readJobOptions, runJob } from "../jsonl/job.js";
import { shortestFloat32s } from "../jsonl/json-lines.js";
import { isResultOfText, openTexts, resultOf, type TextInput, type TextItem } from "../jsonl/texts.js";
import { choiceOption, integerOption, parse, withFlags } from "../terminal/arguments.js";
import { type Command, EXIT } from "../terminal/command.js";
import {
  checkTruncation,
  isTruncating,
  readTruncation,
  TRUNCATED,
  truncationHelp,
  truncationOptions,
} from "../terminal/truncation.js";

type EmbedOptions = NonNullable<Parameters<T5EncoderModel["embed"]>[1]>;

const DEFAULT_BATCH_SIZE = 32;
const RESULT = "embedding";

export const embedCommand: Command = {
  name: "embed",
  summary: "One vector per text, as JSON Lines or as a safetensors file",
  help: `torch-t5 embed [options] <text>... | - | --input <file>

Computes one vector per text: that of SentenceTransformer.encode, if the model is a sentence-transformers directory or
its export, else the mean of the encoder's hidden states. Writes one JSON object per line: the "line" number, the "text"
and its "embedding". The lines of JSON input are strings, or objects with a "text"; their other fields are copied to the
output.

  <text>...             one or more texts; "-" reads them from standard input, one per line
  --pooling <name>      ${POOLINGS.join(", ")}
                        (default: the model's, else mean: the mean over the text's tokens)
  --normalize           scale the vectors to length 1; --no-normalize: don't, even if the model does
  --no-dense            leave out the model's dense modules
  --prompt <text>       a text before each text, "" for none (default: the model's default prompt)
  --prompt-name <name>  one of the model's prompts
  --batch-size <count>  texts that go through the encoder at once (default: ${DEFAULT_BATCH_SIZE})
  --output <file>.safetensors
                        write one float32 tensor "embeddings" [texts, columns] instead of JSON Lines
${truncationHelp("longer texts")};
                        each line has a "truncated" then
${jobOptionsHelp}

Example: torch-t5 embed --normalize "spell number: 7" "spell number: 8"`,

  async run(args) {
    const { values, positionals } = parse(args, {
      ...jobOptions,
      pooling: { type: "string" },
      normalize: { type: "boolean" },
      dense: { type: "boolean" },
      prompt: { type: "string" },
      "prompt-name": { type: "string" },
      "batch-size": { type: "string" },
      ...truncationOptions,
    });
    const batchSize = integerOption(values["batch-size"], "batch-size", 1) ?? DEFAULT_BATCH_SIZE;
    const truncation = readTruncation(values["max-length"], values.truncation);
    const settings = {
      pooling: choiceOption(values.pooling, "pooling", POOLINGS),
      normalize: values.normalize,
      dense: values.dense,
      prompt: values.prompt,
      promptName: values["prompt-name"],
      batchSize,
    };
    const embed = embedWith(settings, truncation);
    const options = readJobOptions(values);
    const { input, read } = await openTexts(values, positionals);
    if (options.output !== undefined && extname(options.output) === ".safetensors") {
      const textOf = (line: string) => read(line).text;
      await saveEmbeddings({ textOf, embed, batchSize }, input, options.output, options);
    } else {
      await runJob(embeddingJob(embed, batchSize, read, isTruncating(truncation)), input, options);
    }
    return EXIT.ok;
  },
};

function embedWith(options: EmbedOptions, truncation: TruncationOptions): Embedder["embed"] {
  return (t5, text) => {
    checkTruncation(t5, truncation);
    return withFlags(["pooling", "normalize", "dense", "prompt", "prompt-name", "batch-size"], () =>
      t5.embed({ text, ...truncation }, options),
    );
  };
}

function embeddingJob(
  embed: Embedder["embed"],
  batchSize: number,
  read: TextInput["read"],
  truncates: boolean,
): Job<TextItem, T5EncoderModel> {
  const results = [RESULT, ...(truncates ? [TRUNCATED] : [])];
  return {
    modelClass: T5EncoderModel,
    batchSize,
    read,
    async process(t5, items) {
      const embeddings = await embed(
        t5,
        items.map(({ text }) => text),
      );
      return items.map((item, index) =>
        resultOf(item, {
          ...(truncates && embeddings.truncated && { [TRUNCATED]: embeddings.truncated[index] }),
          [RESULT]: shortestFloat32s(embeddings.row(index)),
        }),
      );
    },
    isResultOf: (item, result) => isResultOfText(item, result, results),
  };
}
