// The decoders of tokenizer.json, which turn the tokens of ids into text as Rust's tokenizers does.
import { isRecord } from "../util/validation.js";
import { readPattern } from "./pattern.js";
import { readMetaspace } from "./pre-tokenizer.js";
import {
  type JsonObject,
  type PartReaders,
  readCharacter,
  readCount,
  readPart,
  readParts,
  readString,
} from "./tokenizer-json.js";
import { decodeStrictly } from "./utf8.js";

/** Turns tokens into pieces of text. Joined, the pieces of the last decoder are the text. */
type Decoder = (tokens: readonly string[]) => readonly string[];

/** Stands for each byte of an invalid sequence. */
const REPLACEMENT_CHARACTER = "\ufffd";
/** Rust parses the two characters as a number, which may have a sign. */
const BYTE_TOKEN = /^<0x([0-9A-Fa-f]{2}|\+[0-9A-Fa-f])>$/;

const readers: PartReaders<Decoder> = {
  Metaspace: metaspaceDecoder,
  ByteFallback: () => byteFallback,
  Fuse: () => (tokens) => [tokens.join("")],
  Strip: stripDecoder,
  Replace: replaceDecoder,
  Sequence: sequenceDecoder,
};

/** The decoder; without one, tokens are joined with spaces. Throws ERR_MODEL_CORRUPT. */
export function readDecoder(settings: unknown, name: string): Decoder {
  return settings === null || settings === undefined
    ? (tokens) => [tokens.join(" ")]
    : readPart(settings, name, readers);
}

/**
 * Whether further tokens leave the text of the tokens before them as it is, except at its end. They may change it if,
 * after a Fuse, a step looks for more than one character or for a whole token.
 */
export function isStable(settings: unknown): boolean {
  let isFused = false;
  return decoderSteps(settings).every((step) => {
    if (step.type === "Fuse") isFused = true;
    if (!isFused) return true;
    return step.type === "Replace" ? readPattern(step.pattern, "pattern").maxLength <= 1 : step.type !== "ByteFallback";
  });
}

/** Whether a decoder turns tokens such as `<0x61>` into bytes. */
export function hasByteFallback(settings: unknown): boolean {
  return decoderSteps(settings).some(({ type }) => type === "ByteFallback");
}

/** The byte of a token such as `<0x61>`, or undefined for any other token. */
export function byteOfToken(token: string): number | undefined {
  const [, digits] = BYTE_TOKEN.exec(token) ?? [];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

/** The settings of a decoder's steps, in order. */
function decoderSteps(settings: unknown): readonly JsonObject[] {
  if (!isRecord(settings)) return [];
  return settings.type === "Sequence" && Array.isArray(settings.decoders)
    ? settings.decoders.flatMap(decoderSteps)
    : [settings];
}

function metaspaceDecoder(settings: JsonObject, name: string): Decoder {
  const { replacement, prependScheme } = readMetaspace(settings, name);
  const character = String.fromCodePoint(replacement);
  const first = prependScheme === "never" ? " " : "";
  return (tokens) => tokens.map((token, index) => token.replaceAll(character, index === 0 ? first : " "));
}

/** Joins the bytes of consecutive byte tokens to text. */
function byteFallback(tokens: readonly string[]): readonly string[] {
  const decoded: string[] = [];
  let bytes: number[] = [];
  const flush = () => {
    if (bytes.length === 0) return;
    const text = decodeStrictly(Uint8Array.from(bytes));
    if (text !== undefined) decoded.push(text);
    else for (const _ of bytes) decoded.push(REPLACEMENT_CHARACTER);
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

function stripDecoder(settings: JsonObject, name: string): Decoder {
  const content = String.fromCodePoint(readCharacter(settings.content, `${name}.content`));
  const { length } = content;
  const maxAtStart = readCount(settings.start, `${name}.start`);
  const maxAtEnd = readCount(settings.stop, `${name}.stop`);
  const strip = (token: string) => {
    let start = 0;
    let end = token.length;
    for (let count = 0; count < maxAtStart && token.startsWith(content, start); count++) start += length;
    for (let count = 0; count < maxAtEnd && end > start && token.endsWith(content, end); count++) end -= length;
    return token.slice(start, end);
  };
  return (tokens) => tokens.map(strip);
}

function replaceDecoder(settings: JsonObject, name: string): Decoder {
  const { regex } = readPattern(settings.pattern, `${name}.pattern`);
  const content = readString(settings.content, `${name}.content`);
  return (tokens) => tokens.map((token) => token.replace(regex, () => content));
}

function sequenceDecoder(settings: JsonObject, name: string): Decoder {
  const decoders = readParts(settings.decoders, `${name}.decoders`, readers);
  return (tokens) => decoders.reduce((decoded, decoder) => decoder(decoded), tokens);
}
