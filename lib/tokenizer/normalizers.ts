// Reads the normalizer of tokenizer.json.
import { AlignedText, codesOf } from "./aligned-text.js";
import { Charsmap } from "./charsmap.js";
import { normalForm } from "./normal-forms.js";
import { lowercase, type Normalizer, nmt, prepend, sequence, strip, stripAccents } from "./normalizer.js";
import { readPattern } from "./pattern.js";
import { precompiled } from "./precompiled.js";
import { replacing } from "./replacing.js";
import { type Json, makerOf, readArray, readFlag, readRecord, readString } from "./settings.js";

const makers = new Map<string, (settings: Json, name: string) => readonly Normalizer[]>([
  [
    "Sequence",
    (settings, name) =>
      readArray(settings.normalizers, `${name}.normalizers`).flatMap((each, index) =>
        readAll(each, `${name}.normalizers[${index}]`),
      ),
  ],
  [
    "Precompiled",
    (settings, name) => [precompiled(new Charsmap(settings.precompiled_charsmap, `${name}.precompiled_charsmap`))],
  ],
  [
    "Replace",
    (settings, name) => [
      replacing(readPattern(settings.pattern, `${name}.pattern`), readString(settings.content, `${name}.content`)),
    ],
  ],
  [
    "Strip",
    (settings, name) => [
      strip(readFlag(settings.strip_left, `${name}.strip_left`), readFlag(settings.strip_right, `${name}.strip_right`)),
    ],
  ],
  ["Prepend", (settings, name) => [prepend(codesOf(readString(settings.prepend, `${name}.prepend`)))]],
  ["Lowercase", () => [lowercase]],
  ["NFC", () => [normalForm(true, false)]],
  ["NFD", () => [normalForm(false, false)]],
  ["NFKC", () => [normalForm(true, true)]],
  ["NFKD", () => [normalForm(false, true)]],
  ["Nmt", () => [nmt]],
  ["StripAccents", () => [stripAccents]],
]);

/** The normalizer, or undefined where there is none. Throws ERR_MODEL_CORRUPT. */
export function readNormalizer(settings: unknown, name: string): Normalizer | undefined {
  if (settings === null || settings === undefined) return undefined;
  const all = readAll(settings, name);
  return all.length === 0 ? undefined : sequence(all, () => new AlignedText());
}

function readAll(settings: unknown, name: string): readonly Normalizer[] {
  const record = readRecord(settings, name);
  return makerOf(record, name, makers)(record, name);
}
