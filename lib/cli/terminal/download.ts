// Downloads from the hub, with a progress bar.
import { type DownloadProgress, downloadModel } from "../../index.js";
import { withFlags } from "./arguments.js";
import { bar, clock, StatusLine } from "./status-line.js";

const UNITS = ["bytes", "kB", "MB", "GB", "TB"];
const BYTES_PER_UNIT = 1000;

/** The directory of a model, which is downloaded if it is a name on the hub. */
export function modelDirectory(model: string, revision: string | undefined): Promise<string> {
  return withDownloadBar((progress) => downloadModel(model, { revision, progress }));
}

/** Runs `use`, and shows what it reports of a download. Rejects with a UsageError for a wrong --revision. */
export async function withDownloadBar<Result>(
  use: (progress: (progress: DownloadProgress) => void) => Promise<Result>,
): Promise<Result> {
  const line = new StatusLine();
  let begin: { readonly bytes: number; readonly time: number } | undefined;
  try {
    const progress = ({ file, overall }: DownloadProgress) => {
      begin ??= { bytes: overall.loadedBytes, time: performance.now() };
      const { bytes, time } = begin;
      line.draw(() => {
        const seconds = (performance.now() - time) / 1000;
        return downloadLine(file, overall, (overall.loadedBytes - bytes) / seconds);
      });
      if (overall.loadedBytes === overall.totalBytes) line.clear();
    };
    return await withFlags(["revision"], () => use(progress));
  } finally {
    line.clear();
  }
}

/** A size with a unit: "308.3 MB". */
export function formatBytes(bytes: number): string {
  let [amount, unit] = [bytes, 0];
  while (amount >= BYTES_PER_UNIT && unit < UNITS.length - 1) [amount, unit] = [amount / BYTES_PER_UNIT, unit + 1];
  return `${unit === 0 ? amount : amount.toFixed(1)} ${UNITS[unit]}`;
}

function downloadLine(
  file: string,
  { loadedBytes, totalBytes }: DownloadProgress["overall"],
  bytesPerSecond: number,
): string {
  const share = totalBytes === 0 ? 1 : loadedBytes / totalBytes;
  const isKnown = Number.isFinite(bytesPerSecond) && bytesPerSecond > 0;
  const left = isKnown
    ? `  ${formatBytes(bytesPerSecond)}/s  ${clock((totalBytes - loadedBytes) / bytesPerSecond)} left`
    : "";
  return `${bar(share)}  ${formatBytes(loadedBytes)} of ${formatBytes(totalBytes)}${left}  ${file}`;
}
