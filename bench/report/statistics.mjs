// The statistics of the reports.

/** The median; for an even number of values, the mean of the two middle ones. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The lower and the upper quartile, with linear interpolation. */
export function quartiles(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => {
    const position = share * (sorted.length - 1);
    const below = Math.floor(position);
    const above = Math.ceil(position);
    return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
  };
  return [at(0.25), at(0.75)];
}

/** Half the interquartile range, relative to the median. */
export function spread(values) {
  const [lower, upper] = quartiles(values);
  const middle = median(values);
  return middle === 0 ? 0 : (upper - lower) / 2 / middle;
}

/** The maximum absolute difference of two lists; infinite where a difference isn't finite, or the lengths differ. */
export function largestDifference(ours, theirs) {
  if (ours.length !== theirs.length) return Number.POSITIVE_INFINITY;
  return ours.reduce((largest, value, index) => {
    const difference = Math.abs(value - theirs[index]);
    return Number.isFinite(difference) ? Math.max(largest, difference) : Number.POSITIVE_INFINITY;
  }, 0);
}

/**
 * The median over the trials that two figures share of the first one's value as a multiple of the second one's; undefined where one of
 * them was not measured.
 */
export function medianRatio(figure, base) {
  if (!figure || !base) return undefined;
  const ratios = [...figure.trials].flatMap(([trial, value]) => {
    const other = base.trials.get(trial);
    return other > 0 ? [value / other] : [];
  });
  return ratios.length > 0 ? median(ratios) : undefined;
}
