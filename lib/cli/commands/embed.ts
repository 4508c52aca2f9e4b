// `torch-t5 embed`: one vector per text, as JSON Lines or as one safetensors file.
import { extname } from "node:path";
import type { T5ForConditionalGeneration } from "../../index.js";
import { type Embedding, saveEmbeddings } from "../jsonl/embeddings-file.js";
import { shortestOf } from "../jsonl/float32.js";
import { type Job, runJob } from "../jsonl/job.js";
import { jobOptions, jobOptionsHelp, openInput, readJobOptions } from "../jsonl/job-options.js";
import { type Fields, isFields, isSame, parseLine, shown, without } from "../jsonl/json-lines.js";
import { numbered, type Source } from "../jsonl/source.js";
import { readTexts } from "../jsonl/texts.js";
import { type Command, EXIT, integerOption, parse, UsageError } from "../terminal/command.js";
import { withFlags } from "../terminal/library-options.js";

type EmbedOptions = NonNullable<Parameters<T5ForConditionalGeneration["embed"]>[1]>;

const POOLINGS = ["mean", "first"] as const;
const DEFAULT_BATCH_SIZE = 32;
const RESULT = "embedding";

interface Item {
  readonly fields: Fields;
  readonly text: string;
}

export const embedCommand: Command = {
  name: "embed",
  summary: "One vector per text, as JSON Lines or as a safetensors file",
  help: `torch-t5 embed [options] <text>... | - | --input <file>

Pools the encoder's last hidden states to one vector per text, as sentence-T5 does. Writes one JSON object a line: the "line"
number, the text, and its "embedding". The input's lines are strings, or objects with a "text", whose other fields stay.

  <text>...             one or more texts; "-" reads them from standard input, one a line
  --pooling <name>      mean (default): over the text's tokens; first: the first token's state
  --normalize           vectors of length 1
  --batch-size <count>  texts that are read together (default: ${DEFAULT_BATCH_SIZE})
  --output <file>.safetensors
                        one tensor "embeddings" [texts, dModel] of float32 instead
${jobOptionsHelp}

Example: torch-t5 embed --normalize "spell number: 7" "spell number: 8"`,

  async run(args) {
    const { values, positionals } = parse(args, {
      ...jobOptions,
      pooling: { type: "string" },
      normalize: { type: "boolean" },
      "batch-size": { type: "string" },
    });
    const batchSize = integerOption(values["batch-size"], "--batch-size", 1) ?? DEFAULT_BATCH_SIZE;
    const embedding = { pooling: readPooling(values.pooling), normalize: values.normalize ?? false, batchSize };
    const options = readJobOptions(values);
    const isText = values.input === undefined && positionals.length > 0;
    const source: Source = isText
      ? { name: "the texts", lines: numbered(readTexts(positionals)), bytes: undefined }
      : await openInput(values, positionals);
    const read = isText ? readText : readLine;
    if (options.output !== undefined && extname(options.output) === ".safetensors") {
      const textOf = (line: string) => read(line).text;
      await saveEmbeddings({ textOf, embed: embedWith(embedding), batchSize }, source, options.output, options);
    } else {
      await runJob(embeddingJob(embedWith(embedding), batchSize, read), source, options);
    }
    return EXIT.ok;
  },
};

function readPooling(value = "mean"): (typeof POOLINGS)[number] {
  const found = POOLINGS.find((pooling) => pooling === value);
  if (found !== undefined) return found;
  throw new UsageError(`Expected ${POOLINGS.join(" or ")} for --pooling but received ${JSON.stringify(value)}`);
}

function readText(text: string): Item {
  return { fields: { text }, text };
}

function readLine(line: string): Item {
  const value = parseLine(line);
  const fields = isFields(value) ? value : { text: value };
  if (typeof fields.text === "string") return { fields, text: fields.text };
  throw new Error(`Expected a string or an object with its text but received ${shown(line)}`);
}

function embedWith(options: EmbedOptions): Embedding["embed"] {
  return (t5, texts) => withFlags(["pooling", "normalize", "batch-size"], () => t5.embed(texts, options));
}

function embeddingJob(embed: Embedding["embed"], batchSize: number, read: (text: string) => Item): Job<Item> {
  return {
    batchSize,
    read,
    async process(t5, items) {
      const embeddings = await embed(
        t5,
        items.map(({ text }) => text),
      );
      return items.map(({ fields }, index) => ({
        ...without(fields, "line", RESULT),
        [RESULT]: shortestOf(embeddings.row(index)),
      }));
    },
    belongs: ({ fields }, result) => isSame(without(fields, "line", RESULT), without(result, "line", RESULT)),
  };
}
