// Texts as the input of a job: from the command line, from lines of plain text, or from JSON Lines.
import { type Input, inputOf, readTexts } from "./input.js";
import { type JobValues, openJobInput } from "./job.js";
import { excerpt, type Fields, isFields, isSameJson, parseLine, without } from "./json-lines.js";

/** A text, and the other fields of its line. */
export interface TextItem {
  readonly fields: Fields;
  readonly text: string;
}

/** An input of texts, and how an item is read of one of its lines. */
export interface TextInput {
  readonly input: Input;
  readonly read: (line: string) => TextItem;
}

/** The texts that a command line names. Throws UsageError. */
export async function openTexts(values: JobValues, positionals: readonly string[]): Promise<TextInput> {
  if (values.input === undefined && positionals.length > 0) {
    return { input: inputOf(readTexts(positionals)), read: readText };
  }
  return { input: await openJobInput(values, positionals), read: readLine };
}

/** The result of an item: its fields, and those that were computed, which replace earlier ones. */
export function resultOf({ fields }: TextItem, computed: Fields): Fields {
  return { ...without(fields, "line", ...Object.keys(computed)), ...computed };
}

/** Whether a result whose fields `computed` were computed is that of an item. */
export function isResultOfText({ fields }: TextItem, result: Fields, computed: readonly string[]): boolean {
  return isSameJson(without(fields, "line", ...computed), without(result, "line", ...computed));
}

/** The item of a line that is a plain text. */
function readText(text: string): TextItem {
  return { fields: { text }, text };
}

/** The item of a JSON line. Throws where it has no text. */
function readLine(line: string): TextItem {
  const value = parseLine(line);
  const fields = isFields(value) ? value : { text: value };
  if (typeof fields.text === "string") return { fields, text: fields.text };
  throw new Error(`Expected a string or an object with its text but received ${excerpt(line)}`);
}
