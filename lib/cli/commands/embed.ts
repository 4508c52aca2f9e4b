// `torch-t5 embed`: one vector per text, as JSON Lines or as a safetensors file.
import { extname } from "node:path";
import { POOLINGS, type T5ForConditionalGeneration, type TruncationOptions } from "../../index.js";
import { type Embedder, saveEmbeddings } from "../jsonl/embeddings-file.js";
import { inputOf, readTexts } from "../jsonl/input.js";
import { type Job, jobOptions, jobOptionsHelp, openJobInput, readJobOptions, runJob } from "../jsonl/job.js";
import {
  excerpt,
  type Fields,
  isFields,
  isSameJson,
  parseLine,
  shortestFloat32s,
  without,
} from "../jsonl/json-lines.js";
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

type EmbedOptions = NonNullable<Parameters<T5ForConditionalGeneration["embed"]>[1]>;

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

Pools the encoder's last hidden states into one vector per text, as sentence-T5 does. Writes one JSON object per line:
the "line" number, the "text" and its "embedding". The lines of JSON input are strings, or objects with a "text";
their other fields are copied to the output.

  <text>...             one or more texts; "-" reads them from standard input, one per line
  --pooling <name>      mean (default): the mean over the text's tokens; first: the state of the first token
  --normalize           scale the vectors to length 1
  --batch-size <count>  texts that go through the encoder at once (default: ${DEFAULT_BATCH_SIZE})
  --output <file>.safetensors
                        write one float32 tensor "embeddings" [texts, dModel] instead of JSON Lines
${truncationHelp("longer texts")};
                        each line has a "truncated" then
${jobOptionsHelp}

Example: torch-t5 embed --normalize "spell number: 7" "spell number: 8"`,

  async run(args) {
    const { values, positionals } = parse(args, {
      ...jobOptions,
      pooling: { type: "string" },
      normalize: { type: "boolean" },
      "batch-size": { type: "string" },
      ...truncationOptions,
    });
    const batchSize = integerOption(values["batch-size"], "batch-size", 1) ?? DEFAULT_BATCH_SIZE;
    const pooling = choiceOption(values.pooling, "pooling", POOLINGS) ?? "mean";
    const truncation = readTruncation(values["max-length"], values.truncation);
    const embed = embedWith({ pooling, normalize: values.normalize ?? false, batchSize }, truncation);
    const options = readJobOptions(values);
    const isText = values.input === undefined && positionals.length > 0;
    const input = isText ? inputOf(readTexts(positionals)) : await openJobInput(values, positionals);
    const read = isText ? readText : readLine;
    if (options.output !== undefined && extname(options.output) === ".safetensors") {
      const textOf = (line: string) => read(line).text;
      await saveEmbeddings({ textOf, embed, batchSize }, input, options.output, options);
    } else {
      await runJob(embeddingJob(embed, batchSize, read, isTruncating(truncation)), input, options);
    }
    return EXIT.ok;
  },
};

/** The item of a line that is a plain text. */
function readText(text: string): Item {
  return { fields: { text }, text };
}

/** The item of a JSON line. Throws where it has no text. */
function readLine(line: string): Item {
  const value = parseLine(line);
  const fields = isFields(value) ? value : { text: value };
  if (typeof fields.text === "string") return { fields, text: fields.text };
  throw new Error(`Expected a string or an object with its text but received ${excerpt(line)}`);
}

function embedWith(options: EmbedOptions, truncation: TruncationOptions): Embedder["embed"] {
  return (t5, text) => {
    checkTruncation(t5, truncation);
    return withFlags(["pooling", "normalize", "batch-size"], () => t5.embed({ text, ...truncation }, options));
  };
}

function embeddingJob(
  embed: Embedder["embed"],
  batchSize: number,
  read: (text: string) => Item,
  truncates: boolean,
): Job<Item> {
  const results = ["line", RESULT, ...(truncates ? [TRUNCATED] : [])];
  return {
    batchSize,
    read,
    async process(t5, items) {
      const embeddings = await embed(
        t5,
        items.map(({ text }) => text),
      );
      return items.map(({ fields }, index) => ({
        ...without(fields, ...results),
        ...(embeddings.truncated && { [TRUNCATED]: embeddings.truncated[index] }),
        [RESULT]: shortestFloat32s(embeddings.row(index)),
      }));
    },
    isResultOf: ({ fields }, result) => isSameJson(without(fields, ...results), without(result, ...results)),
  };
}
