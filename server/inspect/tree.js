// Answers as a tree: those that begin with the same tokens share a branch.

/**
 * The roots of the tree of some answers. A node has a piece, the log-probability of its token, the answers that end there
 * (`{ text, score }`), and its children.
 */
export function toTree(answers) {
  const root = { children: [] };
  for (const { text, score, tokens } of answers) {
    let node = root;
    for (const { id, piece, logProb } of tokens) {
      let child = node.children.find((candidate) => candidate.id === id);
      if (child === undefined) {
        child = { id, piece, logProb, answers: [], children: [] };
        node.children.push(child);
      }
      node = child;
    }
    node.answers?.push({ text, score });
  }
  return root.children;
}

/** Chains of nodes without a choice as one node with several pieces. */
export function joined(nodes) {
  return nodes.map((node) => {
    const pieces = [node];
    let last = node;
    while (last.children.length === 1 && last.answers.length === 0) {
      [last] = last.children;
      pieces.push(last);
    }
    return { pieces, answers: last.answers, children: joined(last.children) };
  });
}
