// `torch-t5 generate`: answers, token by token on a terminal.
import { stdout } from "node:process";
import type { T5ForConditionalGeneration } from "../../index.js";
import { shortest } from "../jsonl/float32.js";
import { batched, readTexts } from "../jsonl/texts.js";
import {
  type Command,
  EXIT,
  integerOption,
  modelOptions,
  modelOptionsHelp,
  parse,
  UsageError,
} from "../terminal/command.js";
import { withFlags } from "../terminal/library-options.js";
import { withModel } from "../terminal/model.js";
import { write } from "../terminal/output.js";
import { generationFlags, generationHelp, generationOptions, readGenerationOptions } from "./generation-flags.js";

type GenerateOptions = NonNullable<Parameters<T5ForConditionalGeneration["generate"]>[1]>;
type StreamOptions = NonNullable<Parameters<T5ForConditionalGeneration["stream"]>[1]>;
type GenerateResult = Awaited<ReturnType<T5ForConditionalGeneration["generate"]>>;

export const generateCommand: Command = {
  name: "generate",
  summary: "Answer texts, token by token on a terminal",
  help: `torch-t5 generate [options] <text>... | -

Answers each text as Hugging Face's generate does, with the defaults of the model's generation_config.json: one line per
answer. On a terminal each answer appears token by token, unless it is searched with beams.

  <text>...             one or more texts; "-" reads them from standard input, one a line
  --stream              token by token where the output is no terminal; --no-stream: whole lines on one
  --json                one JSON object per text, one a line: { text, sequences, texts }
  --return-scores       with --json, also sequenceScores (with beams) and transitionScores
  --batch-size <count>  texts that are answered together (default: 1); the same answers up to rounding, sooner
${modelOptionsHelp}

${generationHelp}

A switch is turned off with --no-, for instance --no-do-sample.

Example: torch-t5 generate "spell number: 48213" "date to iso: March 5, 2021"`,

  async run(args) {
    const { values, positionals } = parse(args, {
      ...modelOptions,
      ...generationOptions,
      stream: { type: "boolean" },
      json: { type: "boolean" },
      "batch-size": { type: "string" },
    });
    const batchSize = integerOption(values["batch-size"], "--batch-size", 1) ?? 1;
    if (values["return-scores"] && !values.json) {
      throw new UsageError("Expected --json with --return-scores but received none");
    }
    if (values.stream && (values.json || batchSize > 1)) {
      throw new UsageError(`Expected no ${values.json ? "--json" : "--batch-size"} with --stream but received both`);
    }
    const options = readGenerationOptions(values);
    const texts = readTexts(positionals);
    // A text alone has its answer as it is; of several, each answer is one line.
    const asLine = positionals.length === 1 && positionals[0] !== "-" ? (text: string) => text : onOneLine;
    await withFlags(generationFlags, () =>
      withModel(values, async (t5) => {
        const streams = values.stream ?? (stdout.isTTY && !values.json && batchSize === 1 && isOneAnswer(t5, options));
        if (streams) return stream(t5, texts, options, asLine);
        for await (const batch of batched(texts, batchSize)) {
          const answers = await generate(t5, batch, options);
          const lines = values.json
            ? answers.map((answer) => JSON.stringify(answer))
            : answers.flatMap((answer) => answer.texts.map(asLine));
          await write(`${lines.join("\n")}\n`);
        }
      }),
    );
    return EXIT.ok;
  },
};

/** What was generated for one text. */
interface Answer {
  readonly text: string;
  readonly sequences: readonly (readonly number[])[];
  readonly texts: readonly string[];
  readonly sequenceScores?: readonly number[];
  readonly transitionScores?: readonly (readonly number[])[];
}

/** What tells where a sequence ends; undefined and null where nothing is said. */
interface Padding {
  readonly eosTokenId?: unknown;
  readonly padTokenId?: unknown;
  readonly stopStrings?: unknown;
}

/** Whether there is one answer per text, made one token after the other. */
function isOneAnswer({ generationConfig }: T5ForConditionalGeneration, options: GenerateOptions): boolean {
  const { numBeams, numReturnSequences } = { ...generationConfig, ...options };
  return (numBeams ?? 1) === 1 && (numReturnSequences ?? 1) === 1;
}

async function stream(
  t5: T5ForConditionalGeneration,
  texts: AsyncIterable<string>,
  options: StreamOptions,
  asLine: (text: string) => string,
): Promise<void> {
  for await (const input of texts) {
    for await (const { text } of t5.stream(input, options)) await write(asLine(text));
    await write("\n");
  }
}

async function generate(
  t5: T5ForConditionalGeneration,
  batch: readonly string[],
  options: GenerateOptions,
): Promise<readonly Answer[]> {
  const result = await t5.generate(batch, options);
  const rows = result.sequences.shape[0] ?? 0;
  const perText = rows / batch.length;
  const padding = { ...t5.config, ...t5.generationConfig, ...options };
  return batch.map((text, index) => {
    const own = Array.from({ length: perText }, (_, answer) => index * perText + answer);
    return { text, ...answerOf(result, own, padding) };
  });
}

function answerOf(result: GenerateResult, rows: readonly number[], padding: Padding): Omit<Answer, "text"> {
  const { sequenceScores, transitionScores } = result;
  const sequences = rows.map((row) => withoutPadding(result.sequences.row(row), padding));
  return {
    sequences,
    texts: rows.map((row) => result.texts?.[row] ?? ""),
    ...(sequenceScores && { sequenceScores: rows.map((row) => shortest(sequenceScores.data[row] ?? Number.NaN)) }),
    ...(transitionScores && {
      transitionScores: rows.map((row, index) =>
        Array.from(transitionScores.row(row).slice(0, (sequences[index]?.length ?? 1) - 1), shortest),
      ),
    }),
  };
}

/** What is behind the end of a sequence says how long others are, and nothing about this one. */
function withoutPadding(row: Int32Array, { eosTokenId, padTokenId, stopStrings }: Padding): readonly number[] {
  const ends = [eosTokenId].flat();
  const end = row.findIndex((id, index) => index > 0 && ends.includes(id));
  if (end !== -1) return [...row.subarray(0, end + 1)];
  // A stop string ends a sequence without an id that tells where.
  const length = stopStrings ? row.findLastIndex((id) => id !== padTokenId) + 1 : row.length;
  return [...row.subarray(0, Math.max(1, length))];
}

const onOneLine = (text: string) => text.replaceAll("\n", "\\n").replaceAll("\r", "\\r");
