/** Where the bytes of a SIF file come from, read in as few ranges as possible. */

/** Any ranged reader: a file, an object of a store, a `Blob` in a browser. */
export interface SifSource {
  /** Bytes of the whole file. */
  readonly size: number
  /**
   * Exactly these bytes; never asked for bytes behind `size`. What it throws goes to the caller of
   * `inspectSif`.
   */
  read(offset: number, length: number): Promise<Uint8Array>
}

export interface ByteSpan {
  readonly offset: number
  readonly size: number
}

/** Bytes that were read of a source, by their place. */
export interface Pieces {
  /**
   * Reads what is not there yet; spans that lie close to each other come in one read. What passes
   * the budget is left out.
   */
  fetch(spans: readonly ByteSpan[]): Promise<void>
  /** undefined = not read. */
  get(span: ByteSpan): Uint8Array | undefined
}

/** Two spans with fewer bytes between them come in one read. */
const joinedGap = 64 * 1024

interface Piece {
  readonly offset: number
  readonly bytes: Uint8Array
}

/** `budget`: bytes that may be read at the most, in all. Spans must lie inside the source. */
export function createPieces(source: SifSource, budget: number): Pieces {
  const pieces: Piece[] = []
  let left = budget

  const get = ({ offset, size }: ByteSpan): Uint8Array | undefined => {
    if (size === 0) return new Uint8Array(0)
    for (const piece of pieces) {
      const start = offset - piece.offset
      if (start >= 0 && start + size <= piece.bytes.length) return piece.bytes.subarray(start, start + size)
    }
    return undefined
  }

  return {
    get,
    fetch: async (spans) => {
      const missing = spans.filter((span) => get(span) === undefined).sort((a, b) => a.offset - b.offset)
      const reads: { offset: number; end: number }[] = []
      for (const { offset, size } of missing) {
        const last = reads.at(-1)
        const end = offset + size
        const added = last === undefined || offset - last.end >= joinedGap ? size : Math.max(0, end - last.end)
        if (added > left) continue
        left -= added
        if (last !== undefined && offset - last.end < joinedGap) last.end = Math.max(last.end, end)
        else reads.push({ offset, end })
      }
      for (const { offset, end } of reads) {
        const bytes = await source.read(offset, end - offset)
        if (bytes.length !== end - offset)
          throw new RangeError(
            `the source gave ${bytes.length} bytes at ${offset} where ${end - offset} were asked for`,
          )
        pieces.push({ offset, bytes })
      }
    },
  }
}
