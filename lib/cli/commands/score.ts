// `torch-t5 score`: log-probabilities of given answers, JSON Lines in and out.
import { SCORE_REDUCTIONS, type ScoreReduction, type T5ForConditionalGeneration } from "../../index.js";
import { shortest, shortestOf } from "../jsonl/float32.js";
import { type Job, runJob } from "../jsonl/job.js";
import { jobOptions, jobOptionsHelp, openInput, readJobOptions } from "../jsonl/job-options.js";
import { arrayField, type Fields, isSame, parseObject, shown, stringField, without } from "../jsonl/json-lines.js";
import { type Command, EXIT, integerOption, parse, UsageError } from "../terminal/command.js";
import { withFlags } from "../terminal/library-options.js";

const RESULT = "scores";

interface Item {
  readonly fields: Fields;
  readonly source: string;
  readonly targets: readonly string[];
}

export const scoreCommand: Command = {
  name: "score",
  summary: "Log-probabilities of given answers, JSON Lines in and out",
  help: `torch-t5 score [options] < input.jsonl

Reads { "source": "...", "targets": ["...", ...] }, one a line. Writes the same object for each, in the same order, with its
"line" number in front and "scores" behind: one { score, logProbs, ids } for each target, with the log-probability of each
of its tokens, the end of sequence included, and their sum.

  --reduction <name>    what score is: the sum (default) or the mean of the log-probabilities, or none
  --batch-size <count>  targets that are scored together (default: 32)
${jobOptionsHelp}

Example: echo '{"source":"spell number: 7","targets":["seven","six"]}' | torch-t5 score`,

  async run(args) {
    const { values, positionals } = parse(args, {
      ...jobOptions,
      reduction: { type: "string" },
      "batch-size": { type: "string" },
    });
    const reduction = readReduction(values.reduction);
    const batchSize = integerOption(values["batch-size"], "--batch-size", 1);
    const options = readJobOptions(values);
    await runJob(
      scoring({ reduction, ...(batchSize && { batchSize }) }),
      await openInput(values, positionals),
      options,
    );
    return EXIT.ok;
  },
};

function readReduction(value = "sum"): ScoreReduction {
  const found = SCORE_REDUCTIONS.find((reduction) => reduction === value);
  if (found !== undefined) return found;
  throw new UsageError(`Expected ${SCORE_REDUCTIONS.join(", ")} for --reduction but received ${JSON.stringify(value)}`);
}

function scoring(options: { readonly reduction: ScoreReduction; readonly batchSize?: number }): Job<Item> {
  return {
    batchSize: 1,
    read(text) {
      const fields = parseObject(text);
      const targets = arrayField(fields, "targets");
      const wrong = targets.findIndex((target) => typeof target !== "string");
      if (wrong === -1) return { fields, source: stringField(fields, "source"), targets: targets as readonly string[] };
      throw new Error(`Expected a string for targets[${wrong}] but received ${shown(JSON.stringify(targets[wrong]))}`);
    },
    async process(t5, items) {
      return Promise.all(items.map((item) => withFlags(["reduction", "batch-size"], () => score(t5, item, options))));
    },
    belongs: ({ fields }, result) => isSame(without(fields, "line", RESULT), without(result, "line", RESULT)),
  };
}

async function score(
  t5: T5ForConditionalGeneration,
  { fields, source, targets }: Item,
  options: { readonly reduction: ScoreReduction; readonly batchSize?: number },
): Promise<Fields> {
  const scores = await t5.score(source, targets, options);
  return {
    ...without(fields, "line", RESULT),
    [RESULT]: scores.map(({ score, logProbs, ids }) => ({
      ...(score === undefined ? {} : { score: shortest(score) }),
      logProbs: shortestOf(logProbs),
      ids: [...ids],
    })),
  };
}
