// The few statistics that the reports use.

/** The middle value of a list of numbers (the mean of the two middle ones when their count is even). */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The lower and the upper quartile, interpolated between the values beside them. */
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

/** Half the distance between the quartiles, relative to the median: how far trials lie apart. */
export function spread(values) {
  const [lower, upper] = quartiles(values);
  const middle = median(values);
  return middle === 0 ? 0 : (upper - lower) / 2 / middle;
}

/** The largest absolute difference of two lists of one length; infinite where one isn't finite or the lengths differ. */
export function largestDifference(ours, theirs) {
  if (ours.length !== theirs.length) return Number.POSITIVE_INFINITY;
  return ours.reduce((largest, value, index) => {
    const difference = Math.abs(value - theirs[index]);
    return Number.isFinite(difference) ? Math.max(largest, difference) : Number.POSITIVE_INFINITY;
  }, 0);
}
