/**
 * Text of others (labels, names, file names, words of a store) on its way to a terminal, which
 * obeys some characters.
 */

/**
 * Controls (C0 without tab and newline, DEL, C1), which move the cursor, set the title or answer as
 * if typed, and marks that change the direction of a line or hide in it.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const obeyed = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/**
 * Shows them as `\u001b`, which is also what JSON calls them: text inside of JSON keeps its value.
 */
export function plainText(text: string): string {
  return text.replace(obeyed, escaped)
}

/**
 * As {@link plainText}, for what must stay on its line: a newline would begin a line that looks
 * like one of ours.
 */
export function plainLine(text: string): string {
  return plainText(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t')
}
