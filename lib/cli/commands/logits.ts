// `torch-t5 logits`: prints the best tokens at each decoder position, with their logits and probabilities.
import { T5ForConditionalGeneration, type T5Tokenizer, type Tensor, type TruncationOptions } from "../../index.js";
import { collect, readTexts } from "../jsonl/input.js";
import { integerOption, parse } from "../terminal/arguments.js";
import { type Command, EXIT, UsageError } from "../terminal/command.js";
import { modelOptions, modelOptionsHelp, withModel } from "../terminal/model.js";
import { write } from "../terminal/output.js";
import { type Column, table, visible } from "../terminal/table.js";
import { checkTruncation, readTruncation, truncationHelp, truncationOptions } from "../terminal/truncation.js";

/** A token at a decoder position. */
interface Candidate {
  readonly id: number;
  readonly token: string;
  readonly logit: number;
  readonly probability: number;
  readonly logProbability: number;
  /** 1 for the best token. */
  readonly rank: number;
}

/** A decoder position. */
interface Position {
  readonly position: number;
  /** The target's token, if there is a target. */
  readonly target?: Candidate;
  /** The best tokens, in descending order. */
  readonly top: readonly Candidate[];
}

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
  summary: "Print the best tokens at each decoder position, with their logits and probabilities",
  help: `torch-t5 logits [options] <text>... | -

Prints the best tokens at each decoder position, with their logits and probabilities (a softmax over the whole
vocabulary). Without a target, that is the first position of the answer. With a target, the decoder reads the target
as its input (teacher forcing), and each position also shows the target's token with its logit, probability and rank.

  <text>...             one or more texts; "-" reads them from standard input, one per line
  --target <text>       the answer to compare with; given once for each text, in order
  --top-k <count>       tokens to show per position (default: ${DEFAULT_TOP_K})
  --json                print one JSON object per text and line, with logits and probabilities in full
${truncationHelp("longer texts")}
${modelOptionsHelp}

Example: torch-t5 logits "spell number: 7" --target seven`,

  async run(args) {
    const { values, positionals } = parse(args, {
      ...modelOptions,
      ...truncationOptions,
      target: { type: "string", multiple: true },
      "top-k": { type: "string" },
      json: { type: "boolean" },
    });
    const topK = integerOption(values["top-k"], "top-k", 1) ?? DEFAULT_TOP_K;
    const truncation = readTruncation(values["max-length"], values.truncation);
    const texts = await collect(readTexts(positionals));
    if (values.target !== undefined && values.target.length !== texts.length) {
      throw new UsageError(
        `Expected one --target for each of ${texts.length} texts but received ${values.target.length}`,
      );
    }
    await withModel(T5ForConditionalGeneration, values, async (t5) => {
      checkTruncation(t5, truncation);
      for (const [index, text] of texts.entries()) {
        const target = values.target?.[index];
        const { positions, truncated } = await computePositions(t5, { text, ...truncation }, target, topK);
        const fields = {
          text,
          ...(target === undefined ? {} : { target }),
          ...(truncated && { truncated: truncated[0] }),
        };
        const note = truncated?.[0] ? " (truncated)" : "";
        const lines = values.json
          ? [JSON.stringify({ ...fields, positions })]
          : [...(index > 0 ? [""] : []), ...format(text, note, target, positions)];
        await write(`${lines.join("\n")}\n`);
      }
    });
    return EXIT.ok;
  },
};

async function computePositions(
  t5: T5ForConditionalGeneration,
  source: TruncationOptions & { readonly text: string },
  target: string | undefined,
  topK: number,
): Promise<{ readonly positions: readonly Position[]; readonly truncated: readonly boolean[] | undefined }> {
  const { logits, truncated } = await t5.forward({ ...source, target });
  const targets = target === undefined ? undefined : t5.tokenizer?.encode(target).ids;
  const positions = readPositions(logits, Math.min(topK, t5.config.vocabSize), t5.tokenizer, targets);
  logits.dispose();
  return { positions, truncated };
}

/** The positions of `logits` `[1, targetLength, vocabSize]`; `targets` has the target's token at each position. */
function readPositions(
  logits: Tensor,
  topK: number,
  tokenizer: T5Tokenizer | undefined,
  targets?: Int32Array,
): readonly Position[] {
  const logProbabilities = logits.logSoftmax();
  const { indices } = logits.topK(topK);
  const [, targetLength = 0] = logits.shape;
  return Array.from({ length: targetLength }, (_, position) => {
    const row = logits.row(0, position);
    const logs = logProbabilities.row(0, position);
    const candidate = (id: number): Candidate => ({
      id,
      token: tokenizer?.idToToken(id) ?? `<${id}>`,
      logit: row[id] ?? Number.NaN,
      probability: Math.exp(logs[id] ?? Number.NaN),
      logProbability: logs[id] ?? Number.NaN,
      rank: rankOf(row, id),
    });
    const top = Array.from(indices.row(0, position), candidate);
    const target = targets?.[position];
    return target === undefined ? { position, top } : { position, target: candidate(target), top };
  });
}

function rankOf(row: Float32Array, id: number): number {
  const logit = row[id] ?? Number.NaN;
  return row.reduce((rank, other, index) => (other > logit || (other === logit && index < id) ? rank + 1 : rank), 1);
}

function format(
  text: string,
  note: string,
  target: string | undefined,
  positions: readonly Position[],
): readonly string[] {
  const rows = positions.flatMap(tableRows);
  const columns = target === undefined ? COLUMNS : [...COLUMNS, TARGET_COLUMN];
  const heading = [
    `text: ${visible(text)}${note}`,
    ...(target === undefined ? [] : [`target: ${visible(target)}`]),
    "",
  ];
  const lines = [...heading, ...table(columns, rows)];
  return target === undefined ? lines : [...lines, "", ...summarize(positions)];
}

/** The table's rows for a position: its best tokens, then the target's token if it isn't one of them. */
function tableRows({ position, target, top }: Position): readonly (readonly string[])[] {
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
