// Makes a failing text, or row of ids, as small as it gets while it still fails.

/** Says of each candidate whether it fails; many at once, for the reference answers many as fast as one. */
export type Judge<Item> = (candidates: readonly (readonly Item[])[]) => Promise<readonly boolean[]>;

/** Removes parts, halves first and single items last, then replaces items by plainer ones. */
export async function shrink<Item>(
  items: readonly Item[],
  plainer: readonly Item[],
  fails: Judge<Item>,
): Promise<readonly Item[]> {
  let smallest = items;
  for (let size = Math.ceil(items.length / 2); size >= 1; ) {
    const smaller = await firstFailing(without(smallest, size), fails);
    if (smaller !== undefined) {
      smallest = smaller;
      size = Math.min(size, Math.max(1, Math.ceil(smallest.length / 2)));
    } else if (size === 1) break;
    else size = Math.ceil(size / 2);
  }
  for (const [index, item] of smallest.entries()) {
    const rank = plainer.indexOf(item);
    const replacements = rank < 0 ? plainer : plainer.slice(0, rank);
    const candidates = replacements.map((replacement) => smallest.with(index, replacement));
    smallest = (await firstFailing(candidates, fails)) ?? smallest;
  }
  return smallest;
}

async function firstFailing<Item>(candidates: readonly (readonly Item[])[], fails: Judge<Item>) {
  if (candidates.length === 0) return undefined;
  const verdicts = await fails(candidates);
  return candidates[verdicts.indexOf(true)];
}

function without<Item>(items: readonly Item[], size: number): (readonly Item[])[] {
  const count = Math.ceil(items.length / size);
  if (count < 2) return items.length > 0 ? [[]] : [];
  return Array.from({ length: count }, (_, part) => items.toSpliced(part * size, size));
}
