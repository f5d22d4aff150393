/** Did you mean …: the known word that is nearest to a mistyped one. */

/**
 * How many letters must be put in, taken out, replaced or swapped with their neighbour (optimal
 * string alignment distance).
 */
export function editDistance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = at(row, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let least = Math.min(at(row, j) + 1, at(next, j - 1) + 1, replaced)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, at(before, j - 2) + 1)
      next.push(least)
    }
    before = row
    row = next
  }
  return at(row, b.length)
}

const at = (row: readonly number[], index: number): number => row[index] ?? Number.POSITIVE_INFINITY

/** The nearest of the known words: there is always one to show, however far. */
export function nearest(word: string, known: readonly string[]): string {
  const [best = ''] = [...known].sort((a, b) => editDistance(word, a) - editDistance(word, b))
  return best
}
