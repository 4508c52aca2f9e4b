// The Replace normalizer.
import { codesOf } from "./aligned-text.js";
import type { Normalizer } from "./normalizer.js";
import type { Pattern } from "./pattern.js";

/** Every match becomes `content`, all of which stands for the match's last character, as in Rust. */
export function replacing({ regex }: Pattern, content: string): Normalizer {
  const replacement = codesOf(content);
  return (source, from, to, target) => {
    const text = source.toString(from, to);
    let unit = 0;
    let index = from;
    for (const match of text.matchAll(regex)) {
      const start = index + characters(text, unit, match.index);
      target.append(source, index, start);
      unit = match.index + match[0].length;
      index = start + characters(match[0], 0, match[0].length);
      for (const code of replacement) target.push(code, source.starts[index - 1] ?? 0, source.ends[index - 1] ?? 0);
    }
    target.append(source, index, to);
  };
}

/** How many characters a part of a string has. */
function characters(text: string, from: number, to: number): number {
  let count = to - from;
  for (let index = from; index < to; index++) if ((text.charCodeAt(index) & 0xfc00) === 0xdc00) count--;
  return count;
}
