// Renders the tables of the report and their cells.

/** A Markdown table without the columns that are empty in every row. Columns of numbers are aligned on the right. */
export function table(head, rows, isNumeric = true) {
  const kept = head.map((_, column) => column === 0 || rows.some((row) => row[column] !== ""));
  const line = (cells) => `| ${cells.filter((_, column) => kept[column]).join(" | ")} |`;
  return [line(head), line(head.map((_, column) => (isNumeric && column > 0 ? "--:" : "---"))), ...rows.map(line)].join(
    "\n",
  );
}

/** `12.3 ± 4 % (1.45×)`: the median, half the interquartile range, and the median as a multiple of the base's. */
export function figureCell(figure, base) {
  if (!figure) return "";
  const cell = `${number(figure.median)} ± ${(figure.spread * 100).toFixed(0)} %`;
  return base && base.median > 0 ? `${cell} (${(figure.median / base.median).toFixed(2)}×)` : cell;
}

/** How far a peer's results agree with the reference's: the number of equal rows of ids, and the largest difference of numbers. */
export function agreementCell(agreement) {
  if (!agreement) return "";
  const { rows, equalRows, difference, isPromised, isKept } = agreement;
  const parts = [];
  if (rows > 0) parts.push(isPromised && equalRows === rows ? "yes" : `${equalRows} of ${rows} rows`);
  if (difference !== undefined) parts.push(difference === 0 ? "equal" : `Δ ${difference.toExponential(0)}`);
  return isKept ? parts.join(", ") : `**no: ${parts.join(", ")}**`;
}

/** A number with three significant digits, or with all digits before the decimal point. */
export function number(value) {
  if (value === 0) return "0";
  const digits = Math.floor(Math.log10(Math.abs(value))) + 1;
  return value.toFixed(Math.min(3, Math.max(0, 3 - digits)));
}
