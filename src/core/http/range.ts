/** The Range header (RFC 9110 14.1.2, 14.2). */
import type { ByteRange } from '../../storage/blob/contract.js'

/**
 * The one range that is asked for. undefined = send the whole: no header, another unit, a syntax
 * error or several ranges, which a server may ignore. `unsatisfiable` = it starts past the end, or
 * asks for the last 0 bytes.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  if (header === undefined) return undefined
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header.trim())
  const [, first, last] = match ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  if (first === '') {
    const count = Number(last)
    return count === 0 || size === 0 ? 'unsatisfiable' : { start: Math.max(size - count, 0), end: size - 1 }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return undefined
  if (start >= size) return 'unsatisfiable'
  return { start, end: last === '' ? size - 1 : Math.min(Number(last), size - 1) }
}
