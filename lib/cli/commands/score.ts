// `torch-t5 score`: log-probabilities of given answers, JSON Lines in and out.
import { SCORE_REDUCTIONS, type ScoreReduction, T5ForConditionalGeneration } from "../../index.js";
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

const RESULT = "scores";

interface ReadScoreOptions {
  readonly reduction: ScoreReduction;
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
${jobOptionsHelp}

Example: echo '{"source":"spell number: 7","targets":["seven","six"]}' | torch-t5 score`,

  async run(args) {
    const { values, positionals } = parse(args, {
      ...jobOptions,
      reduction: { type: "string" },
      "batch-size": { type: "string" },
    });
    const reduction = choiceOption(values.reduction, "reduction", SCORE_REDUCTIONS) ?? "sum";
    const batchSize = integerOption(values["batch-size"], "batch-size", 1);
    const job = scoreJob({ reduction, ...(batchSize && { batchSize }) });
    const options = readJobOptions(values);
    await runJob(job, await openJobInput(values, positionals), options);
    return EXIT.ok;
  },
};

function scoreJob(options: ReadScoreOptions): Job<Item> {
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
      return Promise.all(items.map((item) => withFlags(["reduction", "batch-size"], () => score(t5, item, options))));
    },
    isResultOf: ({ fields }, result) => isSameJson(without(fields, "line", RESULT), without(result, "line", RESULT)),
  };
}

async function score(
  t5: T5ForConditionalGeneration,
  { fields, source, targets }: Item,
  options: ReadScoreOptions,
): Promise<Fields> {
  const scores = await t5.score(source, targets, options);
  return {
    ...without(fields, "line", RESULT),
    [RESULT]: scores.map(({ score, logProbs, ids }) => ({
      ...(score === undefined ? {} : { score: shortestFloat32(score) }),
      logProbs: shortestFloat32s(logProbs),
      ids: [...ids],
    })),
  };
}
