// `torch-t5 rerank`: sorts documents by their relevance to a query, JSON Lines in and out.
import { T5ForConditionalGeneration } from "../../index.js";
import { type Job, jobOptions, jobOptionsHelp, openJobInput, readJobOptions, runJob } from "../jsonl/job.js";
import {
  arrayField,
  excerpt,
  type Fields,
  isFields,
  isSameJson,
  parseObject,
  shortestFloat32,
  stringField,
  without,
} from "../jsonl/json-lines.js";
import { integerOption, parse, withFlags } from "../terminal/arguments.js";
import { type Command, EXIT } from "../terminal/command.js";
import {
  checkTruncation,
  readTruncation,
  TRUNCATED,
  truncationHelp,
  truncationOptions,
} from "../terminal/truncation.js";

type RerankOptions = NonNullable<Parameters<T5ForConditionalGeneration["rerank"]>[2]>;

const FLAGS = ["template", "true-token", "false-token", "top-n", "batch-size"];
const RESULT = "ranked";
const DOCUMENTS = "documents";

interface Item {
  readonly fields: Fields;
  readonly query: string;
  readonly documents: readonly unknown[];
  readonly texts: readonly string[];
}

export const rerankCommand: Command = {
  name: "rerank",
  summary: "Sort documents by their relevance to a query, JSON Lines in and out",
  help: `torch-t5 rerank [options] < input.jsonl

Reads one { "query": "...", "documents": [...] } per line; a document is a string, or an object with a "text". Writes
the same object for each line, in the same order. The "line" number comes first, and "ranked" takes the place of
"documents": one { index, probability, score, document } for each document, the most relevant first. As in monoT5, the
probability is that of the token "true" against "false", and the score is its logarithm. With --pairwise, for duoT5,
every document is compared with every other one; the probability is the mean, and the score the sum.

  --pairwise            compare the documents in pairs: n * (n - 1) prompts for n documents
  --top-n <count>       write only the most relevant documents of each line
  --template <text>     the model's input, with {query} and {document}
                        (default: "Query: {query} Document: {document} Relevant:"); with --pairwise
                        "Query: {query} Document0: {document0} Document1: {document1} Relevant:"
  --true-token <token>  a text of one token, or a piece such as "▁" (default: true)
  --false-token <token> (default: false)
  --batch-size <count>  documents, or pairs, that go through the model at once (default: 32)
${truncationHelp("the documents of longer inputs")};
                        each ranked document has a "truncated" then
${jobOptionsHelp}

Example:
echo '{"query":"doctor of Thornby","documents":["In Jorwick the doctor is Pavel.","In Thornby the doctor is Mona."]}' |
  torch-t5 rerank`,

  async run(args) {
    const { values, positionals } = parse(args, {
      ...jobOptions,
      ...truncationOptions,
      pairwise: { type: "boolean" },
      "top-n": { type: "string" },
      template: { type: "string" },
      "true-token": { type: "string" },
      "false-token": { type: "string" },
      "batch-size": { type: "string" },
    });
    const topN = integerOption(values["top-n"], "top-n", 1);
    const batchSize = integerOption(values["batch-size"], "batch-size", 1);
    const options: RerankOptions = {
      ...readTruncation(values["max-length"], values.truncation),
      ...(values.pairwise && { pairwise: true }),
      ...(values.template !== undefined && { template: values.template }),
      ...(values["true-token"] !== undefined && { trueToken: values["true-token"] }),
      ...(values["false-token"] !== undefined && { falseToken: values["false-token"] }),
      ...(topN && { topN }),
      ...(batchSize && { batchSize }),
    };
    const runOptions = readJobOptions(values);
    await runJob(rerankJob(options), await openJobInput(values, positionals), runOptions);
    return EXIT.ok;
  },
};

function rerankJob(options: RerankOptions): Job<Item> {
  return {
    modelClass: T5ForConditionalGeneration,
    batchSize: 1,
    read(text) {
      const fields = parseObject(text);
      const documents = arrayField(fields, DOCUMENTS);
      return { fields, query: stringField(fields, "query"), documents, texts: documents.map(textOfDocument) };
    },
    async process(t5, items) {
      checkTruncation(t5, options);
      return Promise.all(items.map((item) => withFlags(FLAGS, () => rerank(t5, item, options))));
    },
    isResultOf: ({ fields, documents }, result) =>
      isSameJson(without(fields, "line", DOCUMENTS, RESULT), without(result, "line", RESULT)) &&
      Array.isArray(result[RESULT]) &&
      result[RESULT].every(
        (ranked: unknown) => isFields(ranked) && isSameJson(ranked.document, documents[Number(ranked.index)]),
      ),
  };
}

async function rerank(
  t5: T5ForConditionalGeneration,
  { fields, query, documents, texts }: Item,
  options: RerankOptions,
): Promise<Fields> {
  const ranked = await t5.rerank(query, texts, options);
  return {
    ...without(fields, "line", DOCUMENTS, RESULT),
    [RESULT]: ranked.map(({ index, probability, score, truncated }) => ({
      index,
      probability: shortestFloat32(probability),
      score: shortestFloat32(score),
      ...(truncated !== undefined && { [TRUNCATED]: truncated }),
      document: documents[index],
    })),
  };
}

function textOfDocument(document: unknown, index: number): string {
  const text = isFields(document) ? document.text : document;
  if (typeof text === "string") return text;
  const received = excerpt(JSON.stringify(document));
  throw new Error(`Expected a string or an object with its text for documents[${index}] but received ${received}`);
}
