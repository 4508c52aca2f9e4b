// The Precompiled normalizer as Rust's spm_precompiled runs it: cluster by cluster, a short one whole, else by character.
import type { Charsmap } from "./charsmap.js";
import { Edit } from "./edit.js";
import type { Normalizer } from "./normalizer.js";
import { clusterEnd } from "./unicode/clusters.js";
import { bytesOf } from "./utf8.js";

/** Clusters of as many bytes are looked up by character. */
const LONG_CLUSTER = 6;

const ASCII_END = 0x80;
const CR = 13;

export function precompiled(charsmap: Charsmap): Normalizer {
  return (source, from, to, target) => {
    const { codes } = source;
    const edit = new Edit(source, from, to, target);
    const character = (code: number) => {
      const replacement = charsmap.character(code);
      if (replacement === undefined) edit.replace(code);
      else write(edit, replacement, 1);
    };
    for (let index = from; index < to; ) {
      const code = codes[index] ?? 0;
      const next = index + 1 < to ? (codes[index + 1] ?? 0) : 0;
      // Between two characters of ASCII is a boundary, but for CR LF.
      const end = code < ASCII_END && next < ASCII_END && code !== CR ? index + 1 : clusterEnd(codes, index, to);
      if (end === index + 1) {
        character(code);
      } else {
        const replacement = isShort(codes, index, end) ? charsmap.cluster(codes, index, end) : undefined;
        if (replacement !== undefined) write(edit, replacement, end - index);
        else for (let part = index; part < end; part++) character(codes[part] ?? 0);
      }
      index = end;
    }
  };
}

/** Writes what stands for the next `count` characters. */
function write(edit: Edit, replacement: Int32Array, count: number): void {
  const { length } = replacement;
  if (length === 0) {
    edit.absorb(count);
    return;
  }
  const replaced = Math.min(length, count);
  for (let index = 0; index < length; index++) {
    const code = replacement[index] ?? 0;
    if (index >= replaced) edit.insert(code);
    else edit.replace(code, index === length - 1 ? count - length : 0);
  }
}

function isShort(codes: Int32Array, from: number, to: number): boolean {
  let bytes = 0;
  for (let index = from; index < to && bytes < LONG_CLUSTER; index++) bytes += bytesOf(codes[index] ?? 0);
  return bytes < LONG_CLUSTER;
}
