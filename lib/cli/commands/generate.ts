// `torch-t5 generate`: answers texts, on a terminal token by token.
import { stdout } from "node:process";
import { T5ForConditionalGeneration, type TruncationOptions } from "../../index.js";
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
line per answer. On a terminal each answer appears token by token, except with beam search; of texts that are answered
at once, the first unfinished answer does, and the others appear after it.

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
    if (values.stream && values.json) throw new UsageError("Expected no --json with --stream but received both");
    const options = readGenerationOptions(values);
    const truncation = readTruncation(values[LENGTH_FLAG], values.truncation, LENGTH_FLAG);
    const note = new TruncationNote();
    const texts = readTexts(positionals);
    // The answer of a single text is printed as it is; of several texts, each answer takes one line.
    const asLine = positionals.length === 1 && positionals[0] !== "-" ? (text: string) => text : onOneLine;
    await withFlags(generationFlags, () =>
      withModel(T5ForConditionalGeneration, values, async (t5) => {
        checkTruncation(t5, truncation);
        const canStream = !values.json && !hasBeams(t5, options);
        const streams = values.stream ?? (stdout.isTTY && canStream);
        for await (const batch of batched(texts, batchSize)) {
          if (streams) {
            await stream(t5, batch, truncation, options, asLine, note);
            continue;
          }
          const answers = await generate(t5, batch, truncation, options);
          const truncated = answers.map((answer) => answer.truncated ?? false);
          if (!values.json) note.add(batch.length, truncated);
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

/** Whether the search has beams, which can't be streamed. */
function hasBeams({ generationConfig }: T5ForConditionalGeneration, options: GenerateOptions): boolean {
  const { numBeams } = { ...generationConfig, ...options };
  return (numBeams ?? 1) !== 1;
}

/** Prints the answers of a batch in their order: the first unfinished one as it grows, the later ones after it. */
async function stream(
  t5: T5ForConditionalGeneration,
  batch: readonly string[],
  truncation: TruncationOptions,
  options: StreamOptions,
  asLine: (text: string) => string,
  note: TruncationNote,
): Promise<void> {
  /** What was not printed yet of each answer from `current` on. */
  const answers = new Map<number, { readonly text: string; readonly isEnded: boolean }>();
  let current = 0;
  const tokens = t5.stream({ text: batch, ...truncation }, options);
  for await (const { row, text, finishReason } of tokens) {
    const before = answers.get(row)?.text ?? "";
    answers.set(row, { text: before + asLine(text), isEnded: finishReason !== undefined });
    for (let answer = answers.get(current); answer !== undefined; answer = answers.get(current)) {
      answers.delete(current);
      await write(answer.isEnded ? `${answer.text}\n` : answer.text);
      if (answer.isEnded) current++;
    }
  }
  note.add(batch.length, tokens.truncated);
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
