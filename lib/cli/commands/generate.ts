// `torch-t5 generate`: answers texts, on a terminal token by token.
import { stdout } from "node:process";
import type { T5ForConditionalGeneration, TruncationOptions } from "../../index.js";
import { batched, readTexts } from "../jsonl/input.js";
import { shortestFloat32 } from "../jsonl/json-lines.js";
import { integerOption, parse, withFlags } from "../terminal/arguments.js";
import { type Command, EXIT, UsageError } from "../terminal/command.js";
import { modelOptions, modelOptionsHelp, withModel } from "../terminal/model.js";
import { write } from "../terminal/output.js";
import { checkTruncation, readTruncation, TruncationNote } from "../terminal/truncation.js";
import { generationFlags, generationHelp, generationOptions, readGenerationOptions } from "./generation-flags.js";

type GenerateOptions = NonNullable<Parameters<T5ForConditionalGeneration["generate"]>[1]>;
type StreamOptions = NonNullable<Parameters<T5ForConditionalGeneration["stream"]>[1]>;
type GenerateResult = Awaited<ReturnType<T5ForConditionalGeneration["generate"]>>;

/** Not `max-length`, which is Hugging Face's option of the answer. */
const LENGTH_FLAG = "max-source-length";

export const generateCommand: Command = {
  name: "generate",
  summary: "Answer texts, on a terminal token by token",
  help: `torch-t5 generate [options] <text>... | -

Answers each text as Hugging Face's generate does, with the defaults of the model's generation_config.json. Prints one
line per answer. On a terminal each answer appears token by token, except with beam search.

  <text>...             one or more texts; "-" reads them from standard input, one per line
  --stream              print token by token even if the output is no terminal; --no-stream: print whole lines
  --json                print one JSON object per text and line: { text, sequences, texts, finishReasons, lengths },
                        with a "truncated" where texts are to be truncated
  --return-scores       with --json: also sequenceScores (with beams) and transitionScores
  --batch-size <count>  texts that are answered at once (default: 1): faster, and the same answers up to rounding
  --max-source-length <count>
                        truncate longer texts to this many tokens, the end of sequence included; --max-length is the
                        maximum length of an answer
  --truncation          truncate longer texts to the model_max_length of the tokenizer
${modelOptionsHelp}

${generationHelp}

A switch is turned off with --no-, for instance --no-do-sample.

Example: torch-t5 generate "spell number: 48213" "date to iso: March 5, 2021"`,

  async run(args) {
    const { values, positionals } = parse(args, {
      ...modelOptions,
      ...generationOptions,
      [LENGTH_FLAG]: { type: "string" },
      truncation: { type: "boolean" },
      stream: { type: "boolean" },
      json: { type: "boolean" },
      "batch-size": { type: "string" },
    });
    const batchSize = integerOption(values["batch-size"], "batch-size", 1) ?? 1;
    if (values["return-scores"] && !values.json) {
      throw new UsageError("Expected --json with --return-scores but received none");
    }
    if (values.stream && (values.json || batchSize > 1)) {
      throw new UsageError(`Expected no ${values.json ? "--json" : "--batch-size"} with --stream but received both`);
    }
    const options = readGenerationOptions(values);
    const truncation = readTruncation(values[LENGTH_FLAG], values.truncation, LENGTH_FLAG);
    const note = new TruncationNote();
    const texts = readTexts(positionals);
    // The answer of a single text is printed as it is; of several texts, each answer takes one line.
    const asLine = positionals.length === 1 && positionals[0] !== "-" ? (text: string) => text : onOneLine;
    await withFlags(generationFlags, () =>
      withModel(values, async (t5) => {
        checkTruncation(t5, truncation);
        const canStream = !values.json && batchSize === 1 && isOneSequence(t5, options);
        if (values.stream ?? (stdout.isTTY && canStream)) return stream(t5, texts, truncation, options, asLine, note);
        for await (const batch of batched(texts, batchSize)) {
          const answers = await generate(t5, batch, truncation, options);
          if (!values.json)
            note.add(
              batch.length,
              answers.map(({ truncated = false }) => truncated),
            );
          const lines = values.json
            ? answers.map((answer) => JSON.stringify(answer))
            : answers.flatMap((answer) => answer.texts.map(asLine));
          await write(`${lines.join("\n")}\n`);
        }
      }),
    );
    note.print();
    return EXIT.ok;
  },
};

/** Every sequence begins with the decoder start id alone. */
const START_IDS = 1;

/** What was generated for one text. */
interface Answer {
  readonly text: string;
  readonly truncated?: boolean;
  readonly sequences: readonly (readonly number[])[];
  readonly texts: readonly string[];
  readonly finishReasons: readonly string[];
  readonly lengths: readonly number[];
  readonly sequenceScores?: readonly number[];
  readonly transitionScores?: readonly (readonly number[])[];
}

/** Whether there is one sequence per text and no beam search, so that the sequence can be streamed. */
function isOneSequence({ generationConfig }: T5ForConditionalGeneration, options: GenerateOptions): boolean {
  const { numBeams, numReturnSequences } = { ...generationConfig, ...options };
  return (numBeams ?? 1) === 1 && (numReturnSequences ?? 1) === 1;
}

async function stream(
  t5: T5ForConditionalGeneration,
  inputs: AsyncIterable<string>,
  truncation: TruncationOptions,
  options: StreamOptions,
  asLine: (text: string) => string,
  note: TruncationNote,
): Promise<void> {
  for await (const input of inputs) {
    const tokens = t5.stream({ text: input, ...truncation }, options);
    for await (const { text } of tokens) await write(asLine(text));
    await write("\n");
    note.add(1, tokens.truncated);
  }
}

async function generate(
  t5: T5ForConditionalGeneration,
  batch: readonly string[],
  truncation: TruncationOptions,
  options: GenerateOptions,
): Promise<readonly Answer[]> {
  const result = await t5.generate({ text: batch, ...truncation }, options);
  const rows = result.sequences.shape[0] ?? 0;
  const perText = rows / batch.length;
  return batch.map((text, index) => {
    const own = Array.from({ length: perText }, (_, answer) => index * perText + answer);
    const { [index]: truncated } = result.truncated ?? [];
    return { text, ...(truncated !== undefined && { truncated }), ...answerOf(result, own) };
  });
}

function answerOf(result: GenerateResult, rows: readonly number[]): Omit<Answer, "text"> {
  const { sequenceScores, transitionScores } = result;
  const lengths = rows.map((row) => result.lengths[row] ?? 0);
  return {
    // The padding after the end depends on the other sequences of the batch.
    sequences: rows.map((row, index) => [...result.sequences.row(row).subarray(0, START_IDS + (lengths[index] ?? 0))]),
    texts: rows.map((row) => result.texts?.[row] ?? ""),
    finishReasons: rows.map((row) => result.finishReasons[row] ?? "length"),
    lengths,
    ...(sequenceScores && {
      sequenceScores: rows.map((row) => shortestFloat32(sequenceScores.data[row] ?? Number.NaN)),
    }),
    ...(transitionScores && {
      transitionScores: rows.map((row, index) =>
        Array.from(transitionScores.row(row).slice(0, lengths[index]), shortestFloat32),
      ),
    }),
  };
}

const onOneLine = (text: string) => text.replaceAll("\n", "\\n").replaceAll("\r", "\\r");
