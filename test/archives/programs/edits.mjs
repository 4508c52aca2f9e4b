// Loads archives whose code and pickles have random edits, each with a manifest that has its digest. The zip file is
// valid, so the edits reach the checks, libtorch's unpickler and its compiler. The same outcomes are allowed as in
// mutations.mjs, and no file may be written. Prints how many were refused; stderr has the seed of a crash.
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, inflateRawSync } from "node:zlib";
import { demoModel, T5Error, T5ForConditionalGeneration } from "torch-t5";
import { random } from "./random.mjs";

const [firstSeed, count] = process.argv.slice(2, 4).map(Number);

const directory = mkdtempSync(join(tmpdir(), "torch-t5-edits-"));
const target = join(directory, "written");
cpSync(demoModel, directory, { recursive: true });
const original = readRecords(readFileSync(join(directory, "model.pt")));
const manifest = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8"));
const editable = [...original.keys()].filter((name) => /\.(py|pkl)$/.test(name));

/** Code that an attacker would insert. */
const STATEMENTS = [
  `torch.save(1, ${JSON.stringify(target)})`,
  `ops.aten.save(1, ${JSON.stringify(target)})`,
  `getattr(torch, "save")(1, ${JSON.stringify(target)})`,
  `attention_mask = torch.from_file(${JSON.stringify(target)}, True, 16)`,
  "torch.remainder(1, 0)",
  "_t = 1 % 0",
  'print("x")',
  "while True:\n      pass",
  "for _i in range(9223372036854775807):\n      pass",
  "_t = torch.zeros([1000000000000])",
  "_t = torch.as_strided(attention_mask, [1000000], [1000000])",
  "_t = self.forward(attention_mask, )",
  "_t = unchecked_cast(__torch__.t5_export.wrapper.ExportedT5, self)",
  "_t = uninitialized(Tensor)",
  "_t = __torch__.torch.classes.quantized.LinearPackedParamsBase()",
  "_t = fork(self.forward, )",
  "raise AssertionError",
  "_t = CONSTANTS.c99",
  "return None",
];
const WORDS = [
  "(",
  ")",
  "[",
  "]",
  ",",
  ".",
  "=",
  "0",
  "-1",
  "9223372036854775807",
  "None",
  "self",
  "torch",
  "ops",
  "Tensor",
];
const WORDS_OF_TYPES = [
  "int",
  "List[int]",
  "Optional[Tensor]",
  "Tuple[int, int]",
  "if",
  "else",
  "def",
  "class",
  "\n",
  " ",
];

/** The records of a zip file, by name. */
function readRecords(file) {
  const records = new Map();
  const end = file.length - 22;
  let at = file.readUInt32LE(end + 16);
  for (let left = file.readUInt16LE(end + 10); left > 0; left--) {
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => file.readUInt16LE(at + field));
    const name = file.toString("utf8", at + 46, at + 46 + nameBytes);
    const header = file.readUInt32LE(at + 42);
    const begin = header + 30 + file.readUInt16LE(header + 26) + file.readUInt16LE(header + 28);
    const data = file.subarray(begin, begin + file.readUInt32LE(at + 20));
    records.set(name, file.readUInt16LE(at + 10) === 0 ? data : inflateRawSync(data));
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
  return records;
}

/** A zip file of records that are not compressed. */
function writeRecords(records) {
  const parts = [];
  const entries = [];
  let offset = 0;
  for (const [name, data] of records) {
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt32LE(crc32(data), 10);
    fields.writeUInt32LE(data.length, 14);
    fields.writeUInt32LE(data.length, 18);
    fields.writeUInt16LE(Buffer.byteLength(name), 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    parts.push(Buffer.from("PK\x03\x04"), fields, Buffer.from(name), data);
    entries.push(Buffer.from("PK\x01\x02\x14\x00"), fields, place, Buffer.from(name));
    offset += 30 + Buffer.byteLength(name) + data.length;
  }
  const central = Buffer.concat(entries);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(records.size, 4);
  end.writeUInt16LE(records.size, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...parts, central, Buffer.from("PK\x05\x06"), end]);
}

function editCode(text, draw) {
  const choose = (list) => list[draw(list.length)];
  const lines = text.split("\n");
  const line = draw(lines.length);
  const tokens = (lines[line] ?? "").split(/\b/);
  const token = draw(tokens.length);
  switch (draw(7)) {
    case 0:
      lines.splice(line, 0, `    ${choose(STATEMENTS)}`);
      break;
    case 1:
      lines.splice(line, 1);
      break;
    case 2:
      lines.splice(line, 0, lines[draw(lines.length)] ?? "");
      break;
    case 3:
      tokens.splice(token, 1);
      lines[line] = tokens.join("");
      break;
    case 4:
      tokens[token] = choose([...WORDS, ...WORDS_OF_TYPES]);
      lines[line] = tokens.join("");
      break;
    case 5:
      tokens[token] = tokens[draw(tokens.length)] ?? "";
      lines[line] = tokens.join("");
      break;
    default: {
      const other = (lines[draw(lines.length)] ?? "").split(/\b/);
      tokens[token] = choose(other) ?? "";
      lines[line] = tokens.join("");
    }
  }
  return lines.join("\n");
}

function editPickle(data, draw) {
  const at = draw(data.length);
  const from = draw(data.length);
  const length = 1 + draw(24);
  switch (draw(4)) {
    case 0:
      return Buffer.concat([data.subarray(0, at), data.subarray(at + length)]);
    case 1:
      return Buffer.concat([data.subarray(0, at), data.subarray(from, from + length), data.subarray(at)]);
    case 2:
      return Buffer.concat([data.subarray(0, at), data.subarray(from, from + length), data.subarray(at + length)]);
    default: {
      const copy = Buffer.from(data);
      copy[at] = draw(256);
      return copy;
    }
  }
}

function edit(draw) {
  const records = new Map(original);
  for (let changes = 1 + draw(2); changes > 0; changes--) {
    const pickles = editable.filter((name) => name.endsWith(".pkl"));
    const name = draw(4) === 0 ? pickles[draw(pickles.length)] : editable[draw(editable.length)];
    const data = records.get(name);
    const edited = name.endsWith(".py") ? Buffer.from(editCode(data.toString(), draw)) : editPickle(data, draw);
    records.set(name, edited);
  }
  return writeRecords(records);
}

async function attempt() {
  const options = { device: "cpu", intraOpThreads: 1, precision: "exact" };
  const t5 = await T5ForConditionalGeneration.fromPretrained(directory, options);
  try {
    await t5.forward({ inputIds: [[5, 6, 7, 1]], decoderInputIds: [[0, 9]] });
    await t5.generate({ inputIds: [[5, 6, 7, 1]] }, { maxNewTokens: 3 });
  } finally {
    t5.dispose();
  }
}

const outcomes = { refused: 0, accepted: 0 };
try {
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const archive = edit(random(seed));
    manifest.files["model.pt"] = { bytes: archive.length, sha256: createHash("sha256").update(archive).digest("hex") };
    writeFileSync(join(directory, "model.pt"), archive);
    writeFileSync(join(directory, "manifest.json"), JSON.stringify(manifest));
    process.stderr.write(`seed ${seed}\n`);
    try {
      await attempt();
      outcomes.accepted++;
    } catch (error) {
      if (!(error instanceof T5Error)) throw error;
      outcomes.refused++;
    }
    if (existsSync(target)) throw new Error("a file was written");
  }
} finally {
  rmSync(directory, { recursive: true });
}
console.log(JSON.stringify(outcomes));
