import { expect, test } from "vitest";
import { printable } from "./printable.ts";

test.each([
  ["alice|a.b:c@d {\"x\": '~'}", "alice|a.b:c@d {\"x\": '~'}"],
  ["a\nResent: 0\r\t", "a\\nResent: 0\\r\\t"],
  ["\x1b[2J\x00\x7f\x9b", "\\x1b[2J\\x00\\x7f\\x9b"],
  ["C:\\new", "C:\\\\new"],
  ["é\u202e\u{1f600}\ud800", "\\xe9\\u{202e}\\u{1f600}\\u{d800}"],
])("%j is printed as %j", (text, expected) => {
  expect(printable(text)).toBe(expected);
});
