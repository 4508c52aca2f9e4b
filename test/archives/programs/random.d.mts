export function random(seed: number): (below: number) => number;
