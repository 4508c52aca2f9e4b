// Draws docs/images/logits.svg: the best tokens at each decoder position, with the logits of the embedded model.
//   node docs/images/logits.mjs
import { writeFileSync } from "node:fs";
import { argv } from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";

const SOURCE = "spell number: 48213";
const TARGET = "forty-eight thousand two hundred thirteen";
const BEST = 3;

const MARGIN = 24;
const COLUMN = { width: 112, gap: 8 };
const ROW_HEIGHT = 40;
const TOP = 104;
const COLORS = {
  page: "#ffffff",
  border: "#d0d7de",
  ink: "#1f2328",
  faint: "#656d76",
  best: "#0969da",
  other: "#8c959f",
};

/** The picture as SVG. Two decimals of the logits do not depend on the processor. */
export async function drawLogits(t5) {
  const { values, indices } = await t5.forward({ text: SOURCE, target: TARGET }, { topK: BEST });
  const [, positions] = values.shape; // [1, targetLength, topK]
  const width = 2 * MARGIN + positions * (COLUMN.width + COLUMN.gap) - COLUMN.gap;
  const height = TOP + BEST * ROW_HEIGHT + MARGIN;
  const columns = Array.from({ length: positions }, (_, position) =>
    drawColumn(t5, position, values.row(0, position), indices.row(0, position)),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`,
    `  font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" role="img">`,
    `<title>The ${BEST} best tokens at each position of the answer to "${SOURCE}", with their logits</title>`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8" fill="${COLORS.page}" stroke="${COLORS.border}"/>`,
    drawText(MARGIN, 36, 15, COLORS.ink, `"${SOURCE}"`),
    drawText(
      MARGIN,
      58,
      12,
      COLORS.faint,
      `logits [1, ${positions}, ${t5.config.vocabSize}]: the ${BEST} best of each position`,
    ),
    ...columns,
    "</svg>",
    "",
  ].join("\n");
}

/** One position: its tokens, best first, each with a bar as long as its share of the best logit. */
function drawColumn(t5, position, logits, ids) {
  const x = MARGIN + position * (COLUMN.width + COLUMN.gap);
  const parts = [drawText(x, TOP - 18, 11, COLORS.faint, `position ${position}`)];
  for (const [rank, id] of ids.entries()) {
    const y = TOP + rank * ROW_HEIGHT;
    const color = rank === 0 ? COLORS.best : COLORS.other;
    const length = Math.max(2, Math.round((COLUMN.width * logits[rank]) / logits[0]));
    const ink = rank === 0 ? COLORS.ink : COLORS.faint;
    parts.push(drawText(x, y + 8, 12, ink, t5.tokenizer.idToToken(id), rank === 0 ? ' font-weight="bold"' : ""));
    parts.push(drawText(x + COLUMN.width, y + 8, 12, ink, logits[rank].toFixed(2), ' text-anchor="end"'));
    parts.push(`<rect x="${x}" y="${y + 14}" width="${length}" height="6" rx="3" fill="${color}"/>`);
  }
  return parts.join("\n");
}

function drawText(x, y, size, color, text, attributes = "") {
  const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<text x="${x}" y="${y}" font-size="${size}" fill="${color}"${attributes}>${escaped}</text>`;
}

if (import.meta.url === pathToFileURL(argv[1]).href) {
  const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel);
  writeFileSync(fileURLToPath(new URL("logits.svg", import.meta.url)), await drawLogits(t5));
  await t5.dispose();
}
