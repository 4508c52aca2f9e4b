// Embeddings as one tensor in a safetensors file, a row per line of the input.
import { stat } from "node:fs/promises";
import type { T5ForConditionalGeneration, Tensor } from "../../index.js";
import { UsageError } from "../terminal/command.js";
import { messageOf } from "../terminal/failure.js";
import { onInterruption } from "../terminal/interruption.js";
import { withModel } from "../terminal/model.js";
import { Progress } from "../terminal/progress.js";
import type { JobOptions } from "./job.js";
import { SafetensorsWriter } from "./safetensors-writer.js";
import type { Source, SourceLine } from "./source.js";
import { batched } from "./texts.js";

const TENSOR = "embeddings";

/** How lines become vectors. */
export interface Embedding {
  /** The text of a line. Throws where it has none. */
  textOf(line: string): string;
  /** `[texts, dModel]` */
  embed(t5: T5ForConditionalGeneration, texts: readonly string[]): Promise<Tensor>;
  readonly batchSize: number;
}

/** Embeds every line of a source. Whatever goes wrong, the file is there whole or not at all. */
export async function saveEmbeddings(
  embedding: Embedding,
  source: Source,
  path: string,
  options: JobOptions,
): Promise<void> {
  if (options.skipsInvalid) throw new UsageError("Expected no --skip-invalid with safetensors but received it");
  if (!options.isOverwritten && (await stat(path).catch(() => undefined)) !== undefined) {
    throw new UsageError(`Expected --overwrite to replace ${JSON.stringify(path)} but received none`);
  }
  await withModel(options.model, async (t5) => {
    const writer = new SafetensorsWriter(path);
    const progress = new Progress(source.bytes);
    const stop = onInterruption(() => {
      progress.clear();
      writer.abandonNow();
    });
    try {
      await writer.open();
      if ((await writeRows(embedding, source, t5, writer, progress)) === 0) {
        throw new UsageError(`Expected at least one line of ${source.name} but received none`);
      }
      await writer.finish(TENSOR, t5.config.dModel);
    } catch (error) {
      await writer.abandon();
      throw error;
    } finally {
      stop();
      progress.clear();
    }
  });
}

async function writeRows(
  { textOf, embed, batchSize }: Embedding,
  source: Source,
  t5: T5ForConditionalGeneration,
  writer: SafetensorsWriter,
  progress: Progress,
): Promise<number> {
  let written = 0;
  for await (const lines of batched({ [Symbol.asyncIterator]: () => source.lines }, batchSize)) {
    const texts = lines.map((line) => at(source, line, () => textOf(line.text())));
    const embeddings = await embed(t5, texts);
    await writer.append(embeddings.data);
    embeddings.dispose();
    written += lines.length;
    progress.update(written, lines.at(-1)?.end ?? 0);
  }
  return written;
}

function at<Result>(source: Source, { number }: SourceLine, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    throw new Error(`${source.name} line ${number}: ${messageOf(error)}`);
  }
}
