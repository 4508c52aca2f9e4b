// Columns of text: a heading, then rows, each column as wide as its widest cell.

export interface Column {
  readonly heading: string;
  readonly align: "left" | "right";
}

const GAP = "  ";

/** The lines of a table. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): readonly string[] {
  const cells = [columns.map(({ heading }) => heading), ...rows];
  const widths = columns.map((_, column) => Math.max(...cells.map((row) => [...(row[column] ?? "")].length)));
  return cells.map((row) =>
    columns
      .map(({ align }, column) => pad(row[column] ?? "", widths[column] ?? 0, align))
      .join(GAP)
      .trimEnd(),
  );
}

/** A token as one visible word: what would break a line or be invisible is escaped. */
export function visible(text: string): string {
  const escaped = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');
  return escaped === "" || /^\s|\s$/.test(escaped) ? `'${escaped}'` : escaped;
}

function pad(text: string, width: number, align: Column["align"]): string {
  // By code points: padStart counts the halves of a surrogate pair.
  const missing = " ".repeat(width - [...text].length);
  return align === "right" ? missing + text : text + missing;
}
