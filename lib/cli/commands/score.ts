// `torch-t5 score`: log-probabilities of given answers, JSON Lines in and out.
import {
  SCORE_REDUCTIONS,
  type ScoreReduction,
  T5ForConditionalGeneration,
  type TruncationOptions,
} from "../../index.js";
import { type Job, jobOptions, jobOptionsHelp, openJobInput, readJobOptions, runJob } from "../jsonl/job.js";
import {
  arrayField,
  excerpt,
  type Fields,
  isSameJson,
  parseObject,
  shortestFloat32,
  shortestFloat32s,
  stringField,
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

const RESULT = "scores";
const FLAGS = ["reduction", "batch-size"];

interface ReadScoreOptions {
  readonly reduction: ScoreReduction;
  readonly addSpecialTokens: boolean;
  readonly batchSize?: number;
}

interface Item {
  readonly fields: Fields;
  readonly source: string;
  readonly targets: readonly string[];
}

export const scoreCommand: Command = {
  name: "score",
  summary: "Compute log-probabilities of given answers, JSON Lines in and out",
  help: `torch-t5 score [options] < input.jsonl

Reads one { "source": "...", "targets": ["...", ...] } per line. Writes the same object for each line, in the same
order. The "line" number comes first, and "scores" last: one { score, logProbs, ids } for each target. "logProbs" has
the log-probability of each token of the target, including the end of sequence, and "score" is their sum.

  --reduction <name>    the score: sum (default) or mean of the log-probabilities, or none
  --batch-size <count>  targets that go through the decoder at once (default: 32)
  --no-add-special-tokens
                        score the targets without an end of sequence
${truncationHelp("longer sources")};
                        each line has a "truncated" then
${jobOptionsHelp}

Example: echo '{"source":"spell number: 7","targets":["seven","six"]}' | torch-t5 score`,

  async run(args) {
    const { values, positionals } = parse(args, {
      ...jobOptions,
      reduction: { type: "string" },
      "batch-size": { type: "string" },
      "add-special-tokens": { type: "boolean" },
      ...truncationOptions,
    });
    const reduction = choiceOption(values.reduction, "reduction", SCORE_REDUCTIONS) ?? "sum";
    const batchSize = integerOption(values["batch-size"], "batch-size", 1);
    const addSpecialTokens = values["add-special-tokens"] ?? true;
    const truncation = readTruncation(values["max-length"], values.truncation);
    const job = scoreJob({ reduction, addSpecialTokens, ...(batchSize && { batchSize }) }, truncation);
    const options = readJobOptions(values);
    await runJob(job, await openJobInput(values, positionals), options);
    return EXIT.ok;
  },
};

function scoreJob(options: ReadScoreOptions, truncation: TruncationOptions): Job<Item> {
  const results = ["line", RESULT, ...(isTruncating(truncation) ? [TRUNCATED] : [])];
  return {
    modelClass: T5ForConditionalGeneration,
    batchSize: 1,
    read(text) {
      const fields = parseObject(text);
      const targets = arrayField(fields, "targets");
      const wrong = targets.findIndex((target) => typeof target !== "string");
      if (wrong === -1) return { fields, source: stringField(fields, "source"), targets: targets as readonly string[] };
      throw new Error(
        `Expected a string for targets[${wrong}] but received ${excerpt(JSON.stringify(targets[wrong]))}`,
      );
    },
    async process(t5, items) {
      checkTruncation(t5, truncation);
      const run = async ({ fields, source, targets }: Item) => ({
        ...without(fields, ...results),
        ...(await withFlags(FLAGS, () => score(t5, { text: source, ...truncation }, targets, options))),
      });
      return Promise.all(items.map(run));
    },
    isResultOf: ({ fields }, result) => isSameJson(without(fields, ...results), without(result, ...results)),
  };
}

async function score(
  t5: T5ForConditionalGeneration,
  source: TruncationOptions & { readonly text: string },
  targets: readonly string[],
  options: ReadScoreOptions,
): Promise<Fields> {
  const scores = await t5.score(source, targets, options);
  const { truncated } = scores[0] ?? {};
  return {
    ...(truncated !== undefined && { [TRUNCATED]: truncated }),
    [RESULT]: scores.map(({ score, logProbs, ids }) => ({
      ...(score === undefined ? {} : { score: shortestFloat32(score) }),
      logProbs: shortestFloat32s(logProbs),
      ids: [...ids],
    })),
  };
}
