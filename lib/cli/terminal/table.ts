// Tables of plain text. Each column is as wide as its widest cell.

export interface Column {
  readonly heading: string;
  readonly align: "left" | "right";
}

const GAP = "  ";

/** The lines of a table: the headings, then the rows. */
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

/**
 * A text on one line: line breaks are escaped, and a text that is empty or begins or ends with white space is quoted.
 */
export function visible(text: string): string {
  const escaped = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');
  return escaped === "" || /^\s|\s$/.test(escaped) ? `'${escaped}'` : escaped;
}

function pad(text: string, width: number, align: Column["align"]): string {
  // Widths are counted in code points; padStart would count UTF-16 units.
  const missing = " ".repeat(width - [...text].length);
  return align === "right" ? missing + text : text + missing;
}
