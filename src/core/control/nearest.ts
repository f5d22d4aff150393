/** Did you mean …: the known word that shares the most with a mistyped one. */

/** Pairs of neighbouring letters, with the ends of the word. */
function pairsOf(word: string): Set<string> {
  const framed = `^${word.toLowerCase()}$`
  return new Set(Array.from({ length: framed.length - 1 }, (_, index) => framed.slice(index, index + 2)))
}

/** Dice's coefficient over pairs of letters: 0 nothing in common, 1 the same. */
function likeness(a: string, b: string): number {
  const ofA = pairsOf(a)
  const ofB = pairsOf(b)
  const shared = [...ofA].filter((pair) => ofB.has(pair)).length
  return (2 * shared) / (ofA.size + ofB.size)
}

/** The nearest of the known words: there is always one to show, however far. */
export function nearestWord(word: string, known: readonly string[]): string {
  const [best = ''] = [...known].sort((a, b) => likeness(word, b) - likeness(word, a))
  return best
}
