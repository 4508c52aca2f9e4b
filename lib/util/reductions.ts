// Reductions of one row of logits. NaN counts as the maximum, as in PyTorch's `argmax` and `topk`.

/** The index of the maximum, the first of equal ones. */
export function argmaxOf(row: Float32Array | Int32Array): number {
  let best = 0;
  for (let index = 1; index < row.length; index++) {
    if (isGreater(row[index] ?? 0, row[best] ?? 0)) best = index;
  }
  return best;
}

/** The natural logarithm of the sum of the exponentials, without overflow. */
export function logSumExp(row: Float32Array): number {
  let max = Number.NEGATIVE_INFINITY;
  for (const value of row) if (value > max) max = value;
  let sum = 0;
  for (const value of row) sum += Math.exp(value - max);
  return max + Math.log(sum);
}

/** Writes the probabilities of `row` to `into`. */
export function softmaxInto(row: Float32Array, into: Float32Array): void {
  const total = logSumExp(row);
  for (let index = 0; index < row.length; index++) into[index] = Math.exp((row[index] ?? 0) - total);
}

/** Writes the log-probabilities of `row` to `into`. */
export function logSoftmaxInto(row: Float32Array, into: Float32Array): void {
  const total = logSumExp(row);
  for (let index = 0; index < row.length; index++) into[index] = (row[index] ?? 0) - total;
}

/** Writes the indices of the `into.length` largest values, in descending order; equal ones by ascending index. */
export function topIndicesInto(row: Float32Array | Int32Array, into: Int32Array): void {
  // A heap whose root is the smallest value kept: one comparison rejects nearly every value of a long row.
  const isWorse = (a: number, b: number): boolean => {
    const first = row[a] ?? 0;
    const second = row[b] ?? 0;
    return isGreater(second, first) || (!isGreater(first, second) && a > b);
  };
  const count = into.length;
  for (let index = 0; index < count; index++) into[index] = index;
  for (let root = (count >> 1) - 1; root >= 0; root--) siftDown(into, root, count, isWorse);
  for (let index = count; index < row.length; index++) {
    if (!isWorse(into[0] ?? 0, index)) continue;
    into[0] = index;
    siftDown(into, 0, count, isWorse);
  }
  for (let end = count - 1; end > 0; end--) {
    swap(into, 0, end);
    siftDown(into, 0, end, isWorse);
  }
}

function isGreater(a: number, b: number): boolean {
  return a > b || (Number.isNaN(a) && !Number.isNaN(b));
}

function siftDown(heap: Int32Array, from: number, end: number, isWorse: (a: number, b: number) => boolean): void {
  for (let root = from; ; ) {
    let worst = root;
    for (let child = 2 * root + 1; child <= 2 * root + 2 && child < end; child++) {
      if (isWorse(heap[child] ?? 0, heap[worst] ?? 0)) worst = child;
    }
    if (worst === root) return;
    swap(heap, root, worst);
    root = worst;
  }
}

function swap(heap: Int32Array, a: number, b: number): void {
  const kept = heap[a] ?? 0;
  heap[a] = heap[b] ?? 0;
  heap[b] = kept;
}
