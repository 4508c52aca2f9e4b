// The normalizers NFC, NFD, NFKC and NFKD.
import { Edit } from "./edit.js";
import type { Normalizer } from "./normalizer.js";
import { compose, decompose } from "./unicode/normalization.js";

const ASCII_END = 0x80;

/** One of the four forms. */
export function normalForm(isComposed: boolean, isCompatible: boolean): Normalizer {
  const form = isComposed ? compose : decompose;
  return (source, from, to, target) => {
    if (isAscii(source.codes, from, to)) {
      target.append(source, from, to);
      return;
    }
    const edit = new Edit(source, from, to, target);
    form(source.codes, from, to, isCompatible, (code, change) => {
      if (change > 0) edit.insert(code);
      else edit.replace(code, -change);
    });
  };
}

function isAscii(codes: Int32Array, from: number, to: number): boolean {
  for (let index = from; index < to; index++) if ((codes[index] ?? 0) >= ASCII_END) return false;
  return true;
}
