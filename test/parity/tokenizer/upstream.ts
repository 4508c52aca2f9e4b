// What `@huggingface/tokenizers` 0.2.0 does otherwise than Rust's tokenizers, each with the smallest text that shows it.
// docs/tokenizer-parity.md explains them; upstream.spec.ts proves that each is there, and that this comparison can fail.

/** A text on which the two differ, or tokens that they decode differently. */
export type Showing = { readonly text: string } | { readonly tokens: readonly string[] };

export type UpstreamDifference = Showing & {
  /** The tokenizer that shows it, of reference/recipes.py. */
  readonly recipe: string;
  readonly what: string;
};

export const UPSTREAM_DIFFERENCES: readonly UpstreamDifference[] = [
  { what: "no charsmap is read: another table than SentencePiece's own is not executed", recipe: "custom", text: "a" },
  { what: "nor is its case folding", recipe: "nfkc_cf", text: "S" },
  { what: "characters are removed that the charsmap keeps", recipe: "nfkc_cf", text: "\u0001" },
  { what: "characters become spaces that the charsmap keeps", recipe: "nmt_nfkc", text: "\u200d" },
  { what: "characters stay that the charsmap makes spaces", recipe: "nmt_nfkc", text: "a\u061ca" },
  { what: "a short grapheme cluster is looked up whole", recipe: "nmt_nfkc", text: "a\u0301\u0301" },
  { what: "white space with a mark is white space", recipe: "nmt_nfkc", text: "\u2003\u0301" },
  { what: "the charsmap does not put marks in order", recipe: "nmt_nfkc", text: "\u0301\u064f" },
  { what: "the charsmap does not compose two of its results", recipe: "nmt_nfkc", text: "\uffa9\uffdc" },
  { what: "half a surrogate pair is no U+FFFD", recipe: "nmt_nfkc", text: "\ud800" },
  { what: "U+0085 is white space", recipe: "identity", text: "\u0085" },
  { what: "U+FEFF is no white space", recipe: "identity", text: "\ufeff" },
  { what: "nor is it for lstrip and rstrip", recipe: "first", text: "\ufeff<left>" },
  { what: "byte fallback is not executed", recipe: "byte-pieces", text: "\u0301" },
  { what: "single_word is ignored", recipe: "older", text: "worda" },
  { what: "the first word is the one at offset 0 of the text as it came", recipe: "first", text: " a" },
  { what: "and not one behind an added token", recipe: "first", text: "a12a" },
  { what: "a normalized added token decodes to its normalized text", recipe: "older", text: "12" },
  { what: "a decoder that never prepends takes no space away", recipe: "never", text: "a" },
  { what: "bytes that are no UTF-8 are U+FFFD each", recipe: "byte-pieces", tokens: ["<0xE2>", "<0x00>"] },
  { what: "a byte order mark is a character", recipe: "byte-pieces", tokens: ["<0xEF>", "<0xBB>", "<0xBF>"] },
  { what: "an id that no token has decodes to nothing", recipe: "nmt_nfkc", tokens: ["(none)"] },
];
