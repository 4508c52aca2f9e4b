// Decoders: the tokens of ids to text, as Rust has them.
import { isRecord } from "../util/validation.js";
import { readPattern } from "./pattern.js";
import { readMetaspace } from "./pre-tokenizers.js";
import { type Json, makerOf, readArray, readCharacter, readCount, readRecord, readString } from "./settings.js";

/** One step from tokens to text. */
export type Decoder = (tokens: readonly string[]) => readonly string[];

/** Bytes that are no UTF-8. */
const REPLACEMENT = "\ufffd";
// Rust reads the digits as a number, which may have a sign.
const BYTE_TOKEN = /^<0x([0-9A-Fa-f]{2}|\+[0-9A-Fa-f])>$/;
const HEXADECIMAL = 16;

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const makers = new Map<string, (settings: Json, name: string) => Decoder>([
  ["Metaspace", metaspaceDecoder],
  ["ByteFallback", () => decodeBytes],
  ["Fuse", () => (tokens) => [tokens.join("")]],
  ["Strip", stripDecoder],
  ["Replace", replaceDecoder],
  ["Sequence", sequenceDecoder],
]);

/** The decoder of tokenizer.json; without one tokens stand apart. Throws ERR_MODEL_CORRUPT. */
export function readDecoder(settings: unknown, name: string): Decoder {
  if (settings === null || settings === undefined) return (tokens) => [tokens.join(" ")];
  const record = readRecord(settings, name);
  return makerOf(record, name, makers)(record, name);
}

/**
 * Whether further tokens may change more of a text than its end: where a step that looks for more than one character, or at a
 * whole token, comes after the tokens were joined.
 */
export function isUnstable(settings: unknown): boolean {
  let isJoined = false;
  return stepsOf(settings).some((step) => {
    if (step.type === "Fuse") isJoined = true;
    if (!isJoined) return false;
    return (
      step.type === "ByteFallback" || (step.type === "Replace" && readPattern(step.pattern, "pattern").longest > 1)
    );
  });
}

/** The steps of a decoder in tokenizer.json, one after the other. */
export function stepsOf(settings: unknown): readonly Json[] {
  if (!isRecord(settings)) return [];
  return settings.type === "Sequence" && Array.isArray(settings.decoders)
    ? settings.decoders.flatMap(stepsOf)
    : [settings];
}

/** The byte of a token like `<0x61>`. */
export function byteOfToken(token: string): number | undefined {
  const [, digits] = BYTE_TOKEN.exec(token) ?? [];
  return digits === undefined ? undefined : Number.parseInt(digits, HEXADECIMAL);
}

function metaspaceDecoder(settings: Json, name: string): Decoder {
  const { replacement, scheme } = readMetaspace(settings, name);
  const character = String.fromCodePoint(replacement);
  const first = scheme === "never" ? " " : "";
  return (tokens) => tokens.map((token, index) => token.replaceAll(character, index === 0 ? first : " "));
}

function decodeBytes(tokens: readonly string[]): readonly string[] {
  const decoded: string[] = [];
  let bytes: number[] = [];
  const flush = () => {
    if (bytes.length === 0) return;
    const text = decodeStrictly(Uint8Array.from(bytes));
    if (text !== undefined) decoded.push(text);
    else for (const _ of bytes) decoded.push(REPLACEMENT);
    bytes = [];
  };
  for (const token of tokens) {
    const byte = byteOfToken(token);
    if (byte === undefined) {
      flush();
      decoded.push(token);
    } else {
      bytes.push(byte);
    }
  }
  flush();
  return decoded;
}

function decodeStrictly(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

function stripDecoder(settings: Json, name: string): Decoder {
  const content = String.fromCodePoint(readCharacter(settings.content, `${name}.content`));
  const { length } = content;
  const most = { start: readCount(settings.start, `${name}.start`), stop: readCount(settings.stop, `${name}.stop`) };
  const strip = (token: string) => {
    let start = 0;
    let stop = token.length;
    for (let count = 0; count < most.start && token.startsWith(content, start); count++) start += length;
    for (let count = 0; count < most.stop && stop > start && token.endsWith(content, stop); count++) stop -= length;
    return token.slice(start, stop);
  };
  return (tokens) => tokens.map(strip);
}

function replaceDecoder(settings: Json, name: string): Decoder {
  const { regex } = readPattern(settings.pattern, `${name}.pattern`);
  const content = readString(settings.content, `${name}.content`);
  return (tokens) => tokens.map((token) => token.replace(regex, () => content));
}

function sequenceDecoder(settings: Json, name: string): Decoder {
  const decoders = readArray(settings.decoders, `${name}.decoders`).map((each, index) =>
    readDecoder(readRecord(each, `${name}.decoders`), `${name}.decoders[${index}]`),
  );
  return (tokens) => decoders.reduce((decoded, decoder) => decoder(decoded), tokens);
}
