// `torch-t5 logits`: the best tokens at each decoder position, with their logits and probabilities.
import type { T5ForConditionalGeneration } from "../../index.js";
import { collect, readTexts } from "../jsonl/texts.js";
import {
  type Command,
  EXIT,
  integerOption,
  modelOptions,
  modelOptionsHelp,
  parse,
  UsageError,
} from "../terminal/command.js";
import { withModel } from "../terminal/model.js";
import { write } from "../terminal/output.js";
import { type Column, table, visible } from "../terminal/table.js";
import { type Position, readPositions } from "./candidates.js";

const DEFAULT_TOP_K = 5;
const LOGIT_DIGITS = 4;
const PROBABILITY_DIGITS = 4;

const COLUMNS: readonly Column[] = [
  { heading: "position", align: "right" },
  { heading: "rank", align: "right" },
  { heading: "token", align: "left" },
  { heading: "id", align: "right" },
  { heading: "logit", align: "right" },
  { heading: "probability", align: "right" },
];
const TARGET_COLUMN: Column = { heading: "", align: "left" };

export const logitsCommand: Command = {
  name: "logits",
  summary: "The best tokens at each decoder position, with their logits and probabilities",
  help: `torch-t5 logits [options] <text>... | -

The best tokens at each decoder position, with their logits and probabilities (a softmax over the whole vocabulary).
Without a target that is the first position of the answer. With a target, the decoder is given the target as its input
(teacher forcing), and each position also shows the target's token, its logit, probability and rank.

  <text>...             one or more texts; "-" reads them from standard input, one a line
  --target <text>       the answer to compare with; given once for each text, in order
  --top-k <count>       how many tokens to show per position (default: ${DEFAULT_TOP_K})
  --json                one JSON object per text, one a line, with logits and probabilities in full
${modelOptionsHelp}

Example: torch-t5 logits "spell number: 7" --target seven`,

  async run(args) {
    const { values, positionals } = parse(args, {
      ...modelOptions,
      target: { type: "string", multiple: true },
      "top-k": { type: "string" },
      json: { type: "boolean" },
    });
    const topK = integerOption(values["top-k"], "--top-k", 1) ?? DEFAULT_TOP_K;
    const texts = await collect(readTexts(positionals));
    if (values.target !== undefined && values.target.length !== texts.length) {
      throw new UsageError(
        `Expected one --target for each of ${texts.length} texts but received ${values.target.length}`,
      );
    }
    await withModel(values, async (t5) => {
      for (const [index, text] of texts.entries()) {
        const target = values.target?.[index];
        const positions = await readLogits(t5, text, target, topK);
        const said = values.json
          ? [JSON.stringify({ text, ...(target === undefined ? {} : { target }), positions })]
          : [...(index > 0 ? [""] : []), ...describe(text, target, positions)];
        await write(`${said.join("\n")}\n`);
      }
    });
    return EXIT.ok;
  },
};

async function readLogits(
  t5: T5ForConditionalGeneration,
  text: string,
  target: string | undefined,
  topK: number,
): Promise<readonly Position[]> {
  const { logits } = await t5.forward(target === undefined ? text : { text, target });
  const targets = target === undefined ? undefined : t5.tokenizer?.encode(target).ids;
  const positions = readPositions(logits, Math.min(topK, t5.config.vocabSize), t5.tokenizer, targets);
  logits.dispose();
  return positions;
}

function describe(text: string, target: string | undefined, positions: readonly Position[]): readonly string[] {
  const rows = positions.flatMap(rowsOf);
  const columns = target === undefined ? COLUMNS : [...COLUMNS, TARGET_COLUMN];
  const heading = [`text: ${visible(text)}`, ...(target === undefined ? [] : [`target: ${visible(target)}`]), ""];
  const lines = [...heading, ...table(columns, rows)];
  return target === undefined ? lines : [...lines, "", ...summarize(positions)];
}

/** The best tokens of a position, and its target below them where it isn't one of them. */
function rowsOf({ position, target, top }: Position): readonly (readonly string[])[] {
  const shown = target === undefined || top.some(({ id }) => id === target.id) ? top : [...top, target];
  return shown.map((candidate, row) => [
    row === 0 ? String(position) : "",
    String(candidate.rank),
    visible(candidate.token),
    String(candidate.id),
    candidate.logit.toFixed(LOGIT_DIGITS),
    formatProbability(candidate.probability),
    candidate.id === target?.id ? "< target" : "",
  ]);
}

function formatProbability(probability: number): string {
  const isSmall = probability > 0 && probability < 10 ** -PROBABILITY_DIGITS;
  return isSmall ? probability.toExponential(1) : probability.toFixed(PROBABILITY_DIGITS);
}

function summarize(positions: readonly Position[]): readonly string[] {
  const targets = positions.flatMap(({ target }) => target ?? []);
  const total = targets.reduce((sum, { logProbability }) => sum + logProbability, 0);
  const best = targets.filter(({ rank }) => rank === 1).length;
  return [
    `The target's log-probability: ${total.toFixed(LOGIT_DIGITS)}, probability ${formatProbability(Math.exp(total))}`,
    `The target's token is the best one at ${best} of ${targets.length} positions`,
  ];
}
