// `clean_up_tokenization_spaces`, as Hugging Face's clean_up_tokenization does it: one pattern after the other.

const PATTERNS: readonly (readonly [from: string, to: string])[] = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

export function cleanUp(text: string): string {
  return PATTERNS.reduce((cleaned, [from, to]) => cleaned.replaceAll(from, to), text);
}
