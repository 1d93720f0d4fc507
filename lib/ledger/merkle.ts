import { hash } from "node:crypto";

/** The Merkle tree hash of a list, by RFC 6962, section 2.1, with SHA-256. */
export function merkleRoot(leaves: Iterable<Uint8Array>): Buffer {
  /** The complete trees that the leaves so far make, each smaller than the one before it. */
  const trees: { readonly size: number; readonly root: Buffer }[] = [];
  for (const leaf of leaves) {
    let tree = { size: 1, root: sha256(LEAF, leaf) };
    for (let left = trees.at(-1); left?.size === tree.size; left = trees.at(-1)) {
      trees.pop();
      tree = { size: 2 * tree.size, root: sha256(NODE, left.root, tree.root) };
    }
    trees.push(tree);
  }
  const roots = trees.map(({ root }) => root);
  return roots.length === 0 ? sha256() : roots.reduceRight((right, left) => sha256(NODE, left, right));
}

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

function sha256(...parts: readonly Uint8Array[]): Buffer {
  return hash("sha256", Buffer.concat(parts), "buffer");
}
