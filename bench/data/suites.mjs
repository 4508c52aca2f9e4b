// The suites, as data. `kind` is the name of the function of a trial program that measures each case; a case may have its own.
// `repetitions` is multiplied by those of the command line, because a generation takes as long as dozens of forward passes.
// `caseSeconds` ends the repetitions of a case early. The series of `afterwards` run once, in this order, after all other trials. A
// suite `onRequest` runs only if it is named.

const shape = ([batch, sourceLength, targetLength]) => ({
  name: `(${batch},${sourceLength},${targetLength})`,
  batch,
  sourceLength,
  targetLength,
});

const generation = (numBeams, batch) => ({
  name: numBeams > 1 ? `${numBeams} beams, batch ${batch}` : `greedy, batch ${batch}`,
  batch,
  numBeams,
  sourceLength: 32,
  newTokens: 64,
  work: { count: 64 * batch, of: "tokens" },
});

const decodingStep = (batch) => ({
  name: `batch ${batch}`,
  batch,
  sourceLength: 32,
  cached: 32,
  steps: 32,
  work: { count: batch, of: "tokens" },
});

/** Generations of `callers` callers: `mode` is "one after another", "at the same time" or "as one batch". */
const callers = (count, mode) => ({
  name: `${count} callers, ${mode}`,
  kind: "callers",
  callers: count,
  mode,
  sourceLength: 16,
  numBeams: 1,
  newTokens: 32,
  work: { count: 32 * count, of: "tokens" },
});

/** The numbers of callers, or of connections, of closed loops. */
const CALLERS = [1, 8, 32, 64];
const CONNECTIONS = [1, 32, 256];

/** Callers who each start a call when the one before is complete, for `seconds`. */
const closedLoop = (call, count, seconds) => ({
  name: `${call}, ${count} at once`,
  kind: "closed-loop",
  call,
  callers: count,
  seconds,
});

/** Streams that arrive at random (Poisson), at a share of the rate that 32 callers reach. */
const openLoop = (share) => ({
  name: `stream at ${share} of capacity`,
  kind: "open-loop",
  call: "stream",
  share,
  seconds: 2,
});

const SHAPES = [
  [1, 16, 1],
  [1, 32, 16],
  [1, 128, 32],
  [8, 32, 16],
  [8, 128, 64],
  [32, 128, 8],
];

/** A case of the suite `gpu`, which has several kinds, so that one process measures them all. */
function inGpu(kind, { name, work: _, ...one }) {
  return { ...one, kind, name: kind === "step" ? `step, ${name}` : name };
}

/** The suites that run a model. Each measures every peer that supports its kind. */
const modelSuites = {
  gpu: {
    title:
      "what the goals for a GPU need: 64 tokens of greedy search, single steps, and forward passes with full logits",
    kind: "gpu",
    unit: "ms",
    cases: [
      inGpu("generate", generation(1, 1)),
      inGpu("generate", generation(1, 32)),
      inGpu("step", decodingStep(1)),
      inGpu("step", decodingStep(32)),
      inGpu("forward", shape([1, 16, 1])),
      inGpu("forward", shape([8, 128, 64])),
      inGpu("forward", shape([32, 128, 8])),
      inGpu("forward", shape([1, 128, 32])),
      inGpu("generate", generation(1, 8)),
      inGpu("step", decodingStep(8)),
    ],
    repetitions: 1,
    warmups: 3,
    caseSeconds: 1,
    afterwards: ["torch-t5 exact", "graphs bfloat16", "graphs float32"],
    onRequest: true,
  },
  "gpu-callers": {
    title: "many callers on a GPU, with `batching: true`: 32 new tokens for each, 16 source ids",
    kind: "service",
    unit: "ms",
    cases: [
      callers(64, "at the same time"),
      callers(64, "as one batch"),
      callers(64, "one after another"),
      callers(8, "at the same time"),
      callers(8, "as one batch"),
    ].map((one) => ({ ...one, batching: true })),
    repetitions: 1,
    warmups: 3,
    caseSeconds: 2,
    onRequest: true,
  },
  bandwidth: {
    title: "one pass over as many bytes as a decoding step reads weights: the machine's limit",
    kind: "bandwidth",
    ratios: false,
    unit: "ms",
    cases: [{ name: "float32" }, { name: "bfloat16" }, { name: "int8" }],
    repetitions: 4,
    warmups: 5,
  },
  forward: {
    title: "one forward pass, full logits; (batch, encoder, decoder)",
    kind: "forward",
    unit: "ms",
    cases: SHAPES.map(shape),
    repetitions: 1,
    warmups: 3,
  },
  step: {
    title: "one decoding step: the mean of 32 that follow 32 cached positions, 32 source ids, full logits",
    kind: "step",
    unit: "ms",
    cases: [1, 8, 32].map(decodingStep),
    repetitions: 1 / 3,
    warmups: 1,
  },
  generate: {
    title: "64 new tokens for 32 source ids, without an end id",
    kind: "generate",
    unit: "ms",
    cases: [generation(1, 1), generation(1, 8), generation(1, 32), generation(4, 1)],
    repetitions: 1 / 5,
    warmups: 1,
  },
  service: {
    title: "calls of 16 source ids: score (8 target ids), generate and stream (32 new tokens), of many callers at once",
    kind: "service",
    layout: "load",
    ratios: false,
    unit: "ms",
    cases: [
      ...CALLERS.map((count) => closedLoop("score", count, 0.4)),
      ...CALLERS.map((count) => closedLoop("generate", count, 1.2)),
      ...CALLERS.map((count) => closedLoop("stream", count, 1)),
      ...[0.3, 0.6, 0.9].map(openLoop),
      callers(32, "one after another"),
      callers(32, "at the same time"),
      callers(32, "as one batch"),
      {
        name: "forward (1,16,1) during generate of 32 rows",
        kind: "during-generate",
        batch: 32,
        sourceLength: 16,
        newTokens: 128,
        afterMs: 100,
      },
    ],
    repetitions: 1 / 5,
    warmups: 1,
    caseSeconds: 1.5,
  },
  server: {
    title:
      "requests over HTTP and gRPC: generate and stream (32 new tokens), rerank of 10 documents, infer (a short forward)",
    kind: "server",
    layout: "load",
    ratios: false,
    unit: "ms",
    cases: ["text generate", "text stream", "rerank", "infer", "infer over gRPC"].flatMap((call) =>
      CONNECTIONS.map((count) => closedLoop(call, count, 2)),
    ),
    repetitions: 1,
    warmups: 2,
  },
  score: {
    title: "log-probabilities of 32 candidates of 16 ids, one source of 64 ids",
    kind: "score",
    unit: "ms",
    cases: [
      {
        name: "32 candidates",
        candidates: 32,
        sourceLength: 64,
        targetLength: 16,
        work: { count: 32, of: "candidates" },
      },
    ],
    repetitions: 1,
    warmups: 2,
  },
  rerank: {
    title: "100 documents of 128 ids, one decoder step each, the probability of one token against another",
    kind: "rerank",
    unit: "ms",
    cases: [
      {
        name: "100 documents",
        documents: 100,
        sourceLength: 128,
        batch: 32,
        tokens: [1176, 6136],
        work: { count: 100, of: "documents" },
      },
    ],
    repetitions: 1 / 3,
    warmups: 1,
  },
  ragged: {
    title: "a padded batch of 32 rows of 8 to 128 ids, against 32 rows of 128 ids",
    kind: "ragged",
    unit: "ms",
    cases: [
      { name: "lengths 8 to 128", batch: 32, shortest: 8, sourceLength: 128, targetLength: 8 },
      { name: "all 128", batch: 32, shortest: 128, sourceLength: 128, targetLength: 8 },
    ],
    against: { measured: "lengths 8 to 128", baseline: "all 128" },
    repetitions: 1 / 2,
    warmups: 2,
  },
  "last-position": {
    title: "logits of the last position only, against all of (8,128,64)",
    kind: "last-position",
    unit: "ms",
    cases: [
      { ...shape([8, 128, 64]), name: "last position", positions: "last" },
      { ...shape([8, 128, 64]), name: "all positions" },
    ],
    against: { measured: "last position", baseline: "all positions" },
    repetitions: 1 / 2,
    warmups: 2,
  },
  load: {
    title: "loading a model in a fresh process, with its files in the page cache",
    kind: "load",
    unit: "ms",
    cases: [{ name: "load" }],
    repetitions: 1,
    warmups: 0,
  },
  memory: {
    title: "resident memory that the loaded model adds to the process",
    kind: "memory",
    ratios: false,
    unit: "MB",
    cases: [{ name: "loaded" }, { ...generation(1, 1), name: "after one generation, batch 1", work: undefined }],
    repetitions: 1,
    warmups: 0,
  },
  "result-memory": {
    title: "resident memory that a held result adds, as a multiple of its own bytes (logits of (8,16,64))",
    kind: "result-memory",
    ratios: false,
    unit: "",
    cases: [{ ...shape([8, 16, 64]), name: "multiple of its bytes", held: 8 }],
    repetitions: 1,
    warmups: 3,
  },
  "event-loop": {
    title: "delay of the event loop, beyond its timer's resolution, during consecutive calls",
    kind: "event-loop",
    ratios: false,
    unit: "ms",
    cases: [
      { ...shape([8, 32, 16]), name: "forward (8,32,16)", call: "forward" },
      { ...generation(1, 1), call: "generate", work: undefined },
    ],
    repetitions: 1,
    warmups: 1,
  },
};

/** The time that JavaScript adds: the same archive called from Python and from Node. */
const overhead = {
  title: "the embedded model, (1,8,1), one thread: the time that JavaScript adds to the archive's own",
  kind: "overhead",
  unit: "ms",
  models: ["demo"],
  threads: 1,
  cases: [{ name: "forward (1,8,1)" }],
  repetitions: 100,
  warmups: 100,
  peers: {
    archive: { label: "the archive in Python", program: "python/archive.py" },
    "torch-t5": { label: "torch-t5", program: "node/overhead.mjs" },
  },
};

/** The event loop while large inputs are copied, tokenized and checked, and results are decoded. */
const inputs = {
  title:
    "the embedded model, one thread: the delay of the event loop, beyond its timer's resolution, with large inputs",
  kind: "inputs",
  ratios: false,
  unit: "ms",
  models: ["demo"],
  threads: 1,
  cases: [
    { name: "embed of 2,000 texts" },
    { name: "forward of a text of 1 MB, too long for attention" },
    { name: "encodeBatchAsync of a text of 1 MB" },
    { name: "score of 1,000 targets" },
    { name: "forward of 1,000,000 ids, too many for attention" },
    { name: "generate of 256 rows of 64 tokens" },
  ],
  repetitions: 1,
  warmups: 1,
  peers: { "torch-t5": { label: "torch-t5", program: "node/inputs.mjs" } },
};

/** The number of texts of each length, as ../preparing/tokenizer_inputs.py writes them. */
const TEXTS = { "20 words": 200, "200 words": 40, "2,000 words": 8, "a batch of 256 texts": 1 };

const textCases = Object.entries(TEXTS).map(([name, count]) => ({ name, texts: name, count }));

/** torch-t5's tokenizer, Rust's (one thread, from Python) and plain `@huggingface/tokenizers`, on the same texts. */
const tokenizer = {
  title: "tokenizing, time per text; torch-t5 must give Rust's ids",
  kind: "tokenizer",
  unit: "µs",
  models: ["tokenizer", "tokenizer of 250,100 pieces"],
  cases: [
    ...textCases,
    { name: "load", unit: "ms" },
    { name: "event loop held by 256 texts", unit: "ms", hold: 1 },
    { name: "event loop held by 4,096 texts", unit: "ms", hold: 16 },
    { name: "one word of 2^8 units, per unit", unit: "ns", word: 2 ** 8 },
    { name: "one word of 2^20 units, per unit", unit: "ns", word: 2 ** 20 },
  ],
  repetitions: 1,
  warmups: 8,
  peers: {
    rust: { label: "Rust, one thread, from Python", program: "python/tokenizer_rust.py" },
    plain: { label: "@huggingface/tokenizers", program: "node/tokenizer-plain.mjs" },
    "torch-t5": { label: "torch-t5", program: "node/tokenizer-torch-t5.mjs" },
  },
};

export const SUITES = { ...modelSuites, overhead, inputs, tokenizer };
