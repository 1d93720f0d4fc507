import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { merkleRoot } from "./merkle.ts";

/** The leaves and roots of the tests of Certificate Transparency's reference implementation, in hexadecimal. */
const LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

function rootOf(leaves: readonly string[]): string {
  return merkleRoot(leaves.map((leaf) => Buffer.from(leaf, "hex"))).toString("hex");
}

/** RFC 6962, section 2.1, as it is written there. */
function recursiveRoot(leaves: readonly Uint8Array[]): Buffer {
  const sha256 = (...parts: Uint8Array[]) => createHash("sha256").update(Buffer.concat(parts)).digest();
  const [first] = leaves;
  if (!first) return sha256();
  if (leaves.length === 1) return sha256(Uint8Array.of(0), first);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(Uint8Array.of(1), recursiveRoot(leaves.slice(0, split)), recursiveRoot(leaves.slice(split)));
}

describe("merkleRoot", () => {
  it.each(ROOTS.map((root, size) => ({ size, root })))("of the first $size reference leaves is $root", (vector) => {
    expect(rootOf(LEAVES.slice(0, vector.size))).toBe(vector.root);
  });

  it("is that of the recursive definition for every number of leaves up to 70", () => {
    const leaves = Array.from({ length: 70 }, (_, index) => Buffer.from(`leaf ${index}`));
    for (let size = 0; size <= leaves.length; size++) {
      expect(merkleRoot(leaves.slice(0, size))).toEqual(recursiveRoot(leaves.slice(0, size)));
    }
  });

  it("is another if a leaf is changed, removed, moved or doubled", () => {
    const roots = [
      LEAVES,
      ["01", ...LEAVES.slice(1)],
      LEAVES.slice(1),
      LEAVES.toReversed(),
      [...LEAVES, ...LEAVES.slice(-1)],
    ];
    expect(new Set(roots.map(rootOf)).size).toBe(roots.length);
  });
});
