// The tokenizer suite: torch-t5's beside Rust's (one thread, through Python) and plain `@huggingface/tokenizers`, over the same texts.

/** How many texts the file has of each, see ../preparing/tokenizer_inputs.py. */
const TEXTS = { "20 words": 200, "200 words": 40, "2,000 words": 8, "a batch of 256 texts": 1 };

const texts = Object.entries(TEXTS).map(([name, count]) => ({ name, texts: name, count }));

export const tokenizerSuite = {
  title: "tokenizing, time a text; torch-t5 must give Rust's ids",
  kind: "tokenizer",
  unit: "µs",
  models: ["tokenizer", "tokenizer of 250,100 pieces"],
  cases: [
    ...texts,
    { name: "load", unit: "ms" },
    { name: "event loop held by 256 texts", unit: "ms", hold: 1 },
    { name: "event loop held by 4,096 texts", unit: "ms", hold: 16 },
    { name: "one word of 2^8 units, a unit", unit: "ns", word: 2 ** 8 },
    { name: "one word of 2^20 units, a unit", unit: "ns", word: 2 ** 20 },
  ],
  repetitions: 1,
  warmups: 8,
  peers: {
    rust: { label: "Rust, one thread, from Python", program: "python/tokenizer_rust.py" },
    plain: { label: "@huggingface/tokenizers", program: "node/tokenizer-plain.mjs" },
    "torch-t5": { label: "torch-t5", program: "node/tokenizer-torch-t5.mjs" },
  },
};
