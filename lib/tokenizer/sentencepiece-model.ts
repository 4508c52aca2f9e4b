// A SentencePiece model (spiece.model): the parts of its ModelProto that transformers reads, and those that decide
// whether they are enough. https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto
import { corrupt } from "../util/json.js";
import { isCharsmap } from "./charsmap.js";
import { FIXED_32, LENGTH_DELIMITED, MessageReader, type Span, VARINT } from "./protobuf.js";
import { unsupported } from "./unsupported.js";
import { decodePart } from "./utf8.js";

const NORMAL = 1;
/** The type of the piece for unknown text. */
export const UNKNOWN = 2;
/** The type of special tokens, such as `</s>`. */
export const CONTROL = 3;
/** The type of pieces that are found before the model divides a text. */
export const USER_DEFINED = 4;
const MAX_TYPE = 6;

/** The values of TrainerSpec's model_type. Words and characters have scores as the pieces of a Unigram model have. */
const MODEL_TYPES = ["UNIGRAM", "BPE", "WORD", "CHAR"];
const SCORED_TYPES = ["UNIGRAM", "WORD", "CHAR"];

/** transformers reads such a model as if it had the right setting, so that texts are divided unlike in training. */
export const EXPORTED = "(`torch-t5 export` writes what transformers makes of it)";

/** The published vocabularies of T5's family have at most 256,384 pieces. */
const MAX_PIECES = 2 ** 20;

export interface Piece {
  readonly text: string;
  readonly score: number;
  readonly type: number;
}

export interface SentencePieceModel {
  /** The id of a piece is its index. */
  readonly pieces: readonly Piece[];
  /** The table of the normalizer; empty if it changes nothing. */
  readonly charsmap: Uint8Array;
}

/** The field numbers of ModelProto, and those of its messages below. */
const MODEL = { pieces: 1, trainerSpec: 2, normalizerSpec: 3 };
const PIECE = { piece: 1, score: 2, type: 3 };
const TRAINER = { modelType: 3, treatWhitespaceAsSuffix: 24 };
const NORMALIZER = { precompiledCharsmap: 2, escapeWhitespaces: 5 };

/**
 * Reads a model. Throws ERR_MODEL_CORRUPT for a file that isn't valid, and for a model whose pieces have no scores of
 * their own or whose word mark isn't before words.
 */
export function readSentencePieceModel(bytes: Buffer, name: string): SentencePieceModel {
  const reader = new MessageReader(bytes, name);
  const spans: Span[] = [];
  const trainers: Span[] = [];
  const normalizers: Span[] = [];
  const lists = new Map([
    [MODEL.pieces, spans],
    [MODEL.trainerSpec, trainers],
    [MODEL.normalizerSpec, normalizers],
  ]);
  reader.enter({ start: 0, end: bytes.length });
  while (reader.next()) {
    const list = lists.get(reader.field);
    if (list === undefined) {
      reader.skip();
      continue;
    }
    reader.expect(LENGTH_DELIMITED);
    list.push(reader.span());
    if (spans.length > MAX_PIECES) throw corrupt(`at most ${MAX_PIECES} pieces`, name, spans.length);
  }
  for (const span of trainers) checkTrainer(reader, span, name);
  return { pieces: readPieces(reader, spans, bytes, name), charsmap: readCharsmap(reader, normalizers, bytes, name) };
}

function readPieces(reader: MessageReader, spans: readonly Span[], bytes: Buffer, name: string): readonly Piece[] {
  const known = new Set<string>();
  return spans.map((span, id) => {
    let text = "";
    let score = 0;
    let type = NORMAL;
    reader.enter(span);
    while (reader.next()) {
      if (reader.field === PIECE.piece) {
        reader.expect(LENGTH_DELIMITED);
        const { start, end } = reader.span();
        const decoded = decodePart(bytes, start, end);
        if (decoded === undefined) {
          throw corrupt("UTF-8", `pieces[${id}].piece in ${name}`, bytes.toString("latin1", start, end));
        }
        text = decoded;
      } else if (reader.field === PIECE.score) {
        reader.expect(FIXED_32);
        score = reader.float();
      } else if (reader.field === PIECE.type) {
        reader.expect(VARINT);
        type = reader.varint();
      } else {
        reader.skip();
      }
    }
    if (text === "" || known.has(text)) {
      throw corrupt("a text that isn't empty and that no other piece has", `pieces[${id}].piece in ${name}`, text);
    }
    known.add(text);
    if (!Number.isFinite(score)) throw corrupt("a finite number", `pieces[${id}].score in ${name}`, score);
    if (type < NORMAL || type > MAX_TYPE) throw corrupt(`1 to ${MAX_TYPE}`, `pieces[${id}].type in ${name}`, type);
    return { text, score, type };
  });
}

function checkTrainer(reader: MessageReader, span: Span, name: string): void {
  reader.enter(span);
  while (reader.next()) {
    if (reader.field === TRAINER.modelType) {
      reader.expect(VARINT);
      const value = reader.varint();
      const type = MODEL_TYPES[value - 1];
      if (type === undefined || !SCORED_TYPES.includes(type)) {
        throw unsupported(`UNIGRAM, WORD or CHAR ${EXPORTED}`, `trainer_spec.model_type in ${name}`, type ?? value);
      }
    } else if (reader.field === TRAINER.treatWhitespaceAsSuffix) {
      reader.expect(VARINT);
      const isSuffix = reader.varint() !== 0;
      if (isSuffix)
        throw unsupported(`false ${EXPORTED}`, `trainer_spec.treat_whitespace_as_suffix in ${name}`, isSuffix);
    } else {
      reader.skip();
    }
  }
}

function readCharsmap(reader: MessageReader, spans: readonly Span[], bytes: Buffer, name: string): Uint8Array {
  let charsmap = bytes.subarray(0, 0);
  for (const span of spans) {
    reader.enter(span);
    while (reader.next()) {
      if (reader.field === NORMALIZER.precompiledCharsmap) {
        reader.expect(LENGTH_DELIMITED);
        const { start, end } = reader.span();
        charsmap = bytes.subarray(start, end);
      } else if (reader.field === NORMALIZER.escapeWhitespaces) {
        reader.expect(VARINT);
        const escapes = reader.varint() !== 0;
        if (!escapes) throw unsupported(`true ${EXPORTED}`, `normalizer_spec.escape_whitespaces in ${name}`, escapes);
      } else {
        reader.skip();
      }
    }
  }
  if (charsmap.length > 0 && !isCharsmap(charsmap)) {
    throw corrupt("a trie and its texts", `normalizer_spec.precompiled_charsmap in ${name}`, charsmap);
  }
  return charsmap;
}
