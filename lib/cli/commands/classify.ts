// `torch-t5 classify`: the labels of texts, or of their tokens, as JSON Lines.
import {
  AGGREGATION_STRATEGIES,
  LABEL_FUNCTIONS,
  readKind,
  T5ForSequenceClassification,
  T5ForTokenClassification,
} from "../../index.js";
import { type Job, jobOptions, jobOptionsHelp, readJobOptions, runJob } from "../jsonl/job.js";
import { type Fields, shortestFloat32 } from "../jsonl/json-lines.js";
import { isResultOfText, openTexts, resultOf, type TextInput, type TextItem } from "../jsonl/texts.js";
import { choiceOption, integerOption, parse, withFlags } from "../terminal/arguments.js";
import { type Command, EXIT, UsageError } from "../terminal/command.js";
import { modelDirectory } from "../terminal/download.js";

const DEFAULT_BATCH_SIZE = 32;
const LABELS = "labels";
const ENTITIES = "entities";
const TEXT_FLAGS = ["top-k", "function-to-apply"] as const;
const TOKEN_FLAGS = ["aggregation-strategy", "ignore-labels"] as const;

export const classifyCommand: Command = {
  name: "classify",
  summary: "The labels of texts, or of their tokens, as JSON Lines",
  help: `torch-t5 classify --model <model> [options] <text>... | - | --input <file>

Classifies texts with an exported T5ForSequenceClassification, or their tokens with a T5ForTokenClassification. Writes
one JSON object per line: the "line" number, the "text", and its "labels": one { label, score } for each label, the
highest score first. Of tokens, "entities" has one { entity, score, index, word, start, end } for each token whose label
is not "O". The lines of JSON input are strings, or objects with a "text"; their other fields are copied to the output.

  <text>...             one or more texts; "-" reads them from standard input, one per line
  --top-k <count>       write only the labels with the highest scores
  --function-to-apply <name>
                        the scores: ${LABEL_FUNCTIONS.join(", ")} (default: as the model was trained)
  --aggregation-strategy <name>
                        of tokens: ${AGGREGATION_STRATEGIES.join(" (default) or ")}, which groups adjacent tokens of one entity
  --ignore-labels <label>
                        of tokens: a label to leave out, any number of times (default: O)
  --batch-size <count>  texts that go through the model at once (default: ${DEFAULT_BATCH_SIZE})
${jobOptionsHelp.replace(/default: the embedded one/, "required")}

Example: torch-t5 classify --model ./reviews "I loved it"`,

  async run(args) {
    const { values, positionals } = parse(args, {
      ...jobOptions,
      "top-k": { type: "string" },
      "function-to-apply": { type: "string" },
      "aggregation-strategy": { type: "string" },
      "ignore-labels": { type: "string", multiple: true },
      "batch-size": { type: "string" },
    });
    const batchSize = integerOption(values["batch-size"], "batch-size", 1) ?? DEFAULT_BATCH_SIZE;
    const ofTexts = {
      topK: integerOption(values["top-k"], "top-k", 1),
      functionToApply: choiceOption(values["function-to-apply"], "function-to-apply", LABEL_FUNCTIONS),
      batchSize,
    };
    const ofTokens = {
      aggregationStrategy: choiceOption(values["aggregation-strategy"], "aggregation-strategy", AGGREGATION_STRATEGIES),
      ignoreLabels: values["ignore-labels"],
      batchSize,
    };
    if (values.model === undefined) throw new UsageError("Expected --model with a classifier but received none");
    const model = await modelDirectory(values.model, values.revision);
    const isOfTokens = (await readKind(model)).kind === "tokenClassification";
    const wrong = (isOfTokens ? TEXT_FLAGS : TOKEN_FLAGS).find((flag) => values[flag] !== undefined);
    if (wrong !== undefined) {
      const what = isOfTokens ? "a classifier of tokens" : "a classifier of texts";
      throw new UsageError(`Expected no --${wrong} for ${what} but received it`);
    }
    const texts = await openTexts(values, positionals);
    const options = readJobOptions({ ...values, model, revision: undefined });
    if (isOfTokens) await runJob(tokenJob(texts, ofTokens), texts.input, options);
    else await runJob(textJob(texts, ofTexts), texts.input, options);
    return EXIT.ok;
  },
};

function textJob(
  { read }: TextInput,
  options: NonNullable<Parameters<T5ForSequenceClassification["classify"]>[1]> & { readonly batchSize: number },
): Job<TextItem, T5ForSequenceClassification> {
  return {
    modelClass: T5ForSequenceClassification,
    batchSize: options.batchSize,
    read,
    async process(t5, items) {
      const classified = await withFlags([...TEXT_FLAGS, "batch-size"], () => t5.classify(textsOf(items), options));
      return items.map((item, index) => resultOf(item, { [LABELS]: withShortScores(classified[index]) }));
    },
    isResultOf: (item, result) => isResultOfText(item, result, [LABELS]),
  };
}

function tokenJob(
  { read }: TextInput,
  options: NonNullable<Parameters<T5ForTokenClassification["classify"]>[1]> & { readonly batchSize: number },
): Job<TextItem, T5ForTokenClassification> {
  return {
    modelClass: T5ForTokenClassification,
    batchSize: options.batchSize,
    read,
    async process(t5, items) {
      const classified = await withFlags([...TOKEN_FLAGS, "batch-size"], () => t5.classify(textsOf(items), options));
      return items.map((item, index) => resultOf(item, { [ENTITIES]: withShortScores(classified[index]) }));
    },
    isResultOf: (item, result) => isResultOfText(item, result, [ENTITIES]),
  };
}

function textsOf(items: readonly TextItem[]): readonly string[] {
  return items.map(({ text }) => text);
}

function withShortScores(labels: readonly { readonly score: number }[] = []): readonly Fields[] {
  return labels.map((label) => ({ ...label, score: shortestFloat32(label.score) }));
}
