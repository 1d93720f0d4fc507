import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { blocksIn, examplesIn, runExamples, shownBy } from "../../testkit/examples.ts";

const GUIDES = "docs/guides";
const guides = readdirSync(join(import.meta.dirname, "../..", GUIDES)).sort();

test.each(guides)("the examples of %s, run in order by fresh users, print what the guide shows", async (guide) => {
  const examples = examplesIn(blocksIn(`${GUIDES}/${guide}`));
  expect(examples.length).toBeGreaterThan(2);
  const users = ["alice", "bob", "shop", "acme"];
  const shown = await runExamples(examples, inject("apiUrl"), users, inject("stackEnvironment"));
  expect(shown).toEqual(shownBy(examples));
});
