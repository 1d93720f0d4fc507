const NAMED = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\\", "\\\\"],
]);

/**
 * Escapes a text from a message or a table for a terminal: a backslash and every character that is not printable ASCII
 * become JavaScript escapes. The text can then neither start a line nor control the terminal.
 */
export function printable(text: string): string {
  return text.replaceAll(/[^ -[\]-~]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    return NAMED.get(character) ?? (code < 0x100 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`);
  });
}
