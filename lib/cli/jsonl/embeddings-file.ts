// Writes embeddings to a safetensors file: one tensor, with a row for each line of the input.
import { stat } from "node:fs/promises";
import { type Embeddings, T5EncoderModel } from "../../index.js";
import { UsageError } from "../terminal/command.js";
import { withModel } from "../terminal/model.js";
import { onInterruption } from "../terminal/output.js";
import { Progress } from "../terminal/progress.js";
import { TruncationNote } from "../terminal/truncation.js";
import { atLine, batched, type Input } from "./input.js";
import type { JobOptions } from "./job.js";
import { SafetensorsWriter } from "./safetensors.js";

const TENSOR = "embeddings";

/** How lines are embedded. */
export interface Embedder {
  /** The text of a line. Throws where it has none. */
  textOf(line: string): string;
  /** `[texts, columns]` */
  embed(t5: T5EncoderModel, texts: readonly string[]): Promise<Embeddings>;
  readonly batchSize: number;
}

/** Embeds every line of an input. If that fails, no file is left. */
export async function saveEmbeddings(
  embedder: Embedder,
  input: Input,
  path: string,
  options: JobOptions,
): Promise<void> {
  if (options.skipsInvalid) throw new UsageError("Expected no --skip-invalid with safetensors but received it");
  if (!options.overwrites && (await stat(path).catch(() => undefined)) !== undefined) {
    throw new UsageError(`Expected --overwrite to replace ${JSON.stringify(path)} but received none`);
  }
  const note = new TruncationNote();
  await withModel(T5EncoderModel, options.model, async (t5) => {
    const writer = new SafetensorsWriter(path);
    const progress = new Progress(input.bytes);
    const removeHandler = onInterruption(() => {
      progress.clear();
      writer.abandonNow();
    });
    try {
      await writer.open();
      const columns = await writeRows(embedder, input, t5, writer, progress, note);
      if (columns === undefined) throw new UsageError(`Expected at least one line of ${input.name} but received none`);
      await writer.finish(TENSOR, columns);
    } catch (error) {
      await writer.abandon();
      throw error;
    } finally {
      removeHandler();
      progress.clear();
    }
  });
  note.print();
}

/** Resolves to the length of a row; undefined for no rows. */
async function writeRows(
  { textOf, embed, batchSize }: Embedder,
  input: Input,
  t5: T5EncoderModel,
  writer: SafetensorsWriter,
  progress: Progress,
  note: TruncationNote,
): Promise<number | undefined> {
  let written = 0;
  let columns: number | undefined;
  for await (const lines of batched({ [Symbol.asyncIterator]: () => input.lines }, batchSize)) {
    const texts = lines.map((line) => atLine(input.name, line.number, () => textOf(line.text())));
    const embeddings = await embed(t5, texts);
    columns = embeddings.shape.at(-1);
    await writer.append(embeddings.data);
    note.add(texts.length, embeddings.truncated);
    embeddings.dispose();
    written += lines.length;
    progress.update(written, lines.at(-1)?.end ?? 0);
  }
  return columns;
}
