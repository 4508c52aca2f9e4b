// `torch-t5 rerank`: documents sorted by their relevance to a query, JSON Lines in and out.
import type { T5ForConditionalGeneration } from "../../index.js";
import { shortest } from "../jsonl/float32.js";
import { type Job, runJob } from "../jsonl/job.js";
import { jobOptions, jobOptionsHelp, openInput, readJobOptions } from "../jsonl/job-options.js";
import {
  arrayField,
  type Fields,
  isFields,
  isSame,
  parseObject,
  shown,
  stringField,
  without,
} from "../jsonl/json-lines.js";
import { type Command, EXIT, integerOption, parse } from "../terminal/command.js";
import { withFlags } from "../terminal/library-options.js";

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
  summary: "Documents sorted by their relevance to a query, JSON Lines in and out",
  help: `torch-t5 rerank [options] < input.jsonl

Reads { "query": "...", "documents": [...] }, one a line; a document is a string or an object with its "text". Writes the same
object for each, in the same order, with its "line" number in front and, instead of "documents", "ranked": one
{ index, probability, score, document } for each, the most relevant first. As in monoT5, the probability is that of the
token "true" against "false", and the score its logarithm.

  --top-n <count>       only the best of each line
  --template <text>     what the model reads, with {query} and {document}
                        (default: "Query: {query} Document: {document} Relevant:")
  --true-token <token>  (default: true)
  --false-token <token> (default: false)
  --batch-size <count>  documents that are read together (default: 32)
${jobOptionsHelp}

Example: echo '{"query":"doctor of Thornby","documents":["Its doctor is Mona."]}' | torch-t5 rerank`,

  async run(args) {
    const { values, positionals } = parse(args, {
      ...jobOptions,
      "top-n": { type: "string" },
      template: { type: "string" },
      "true-token": { type: "string" },
      "false-token": { type: "string" },
      "batch-size": { type: "string" },
    });
    const topN = integerOption(values["top-n"], "--top-n", 1);
    const batchSize = integerOption(values["batch-size"], "--batch-size", 1);
    const options: RerankOptions = {
      ...(values.template !== undefined && { template: values.template }),
      ...(values["true-token"] !== undefined && { trueToken: values["true-token"] }),
      ...(values["false-token"] !== undefined && { falseToken: values["false-token"] }),
      ...(topN && { topN }),
      ...(batchSize && { batchSize }),
    };
    const jobOptionsRead = readJobOptions(values);
    await runJob(reranking(options), await openInput(values, positionals), jobOptionsRead);
    return EXIT.ok;
  },
};

function reranking(options: RerankOptions): Job<Item> {
  return {
    batchSize: 1,
    read(text) {
      const fields = parseObject(text);
      const documents = arrayField(fields, DOCUMENTS);
      return { fields, query: stringField(fields, "query"), documents, texts: documents.map(textOfDocument) };
    },
    async process(t5, items) {
      return Promise.all(items.map((item) => withFlags(FLAGS, () => rerank(t5, item, options))));
    },
    belongs: ({ fields, documents }, result) =>
      isSame(without(fields, "line", DOCUMENTS, RESULT), without(result, "line", RESULT)) &&
      Array.isArray(result[RESULT]) &&
      result[RESULT].every(
        (ranked: unknown) => isFields(ranked) && isSame(ranked.document, documents[Number(ranked.index)]),
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
    [RESULT]: ranked.map(({ index, probability, score }) => ({
      index,
      probability: shortest(probability),
      score: shortest(score),
      document: documents[index],
    })),
  };
}

function textOfDocument(document: unknown, index: number): string {
  const text = isFields(document) ? document.text : document;
  if (typeof text === "string") return text;
  const received = shown(JSON.stringify(document));
  throw new Error(`Expected a string or an object with its text for documents[${index}] but received ${received}`);
}
