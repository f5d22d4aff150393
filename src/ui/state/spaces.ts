/** Which of one's places is shown first. */
import type { Space } from '../api/records.js'
import { session } from './session.js'

/**
 * Name of one's own place, else of the first; undefined where none has anything in it: one's own place is listed before
 * the first push makes it.
 */
export function usualSpace(spaces: readonly Space[] | undefined): string | undefined {
  const filled = (spaces ?? []).filter(({ usedBytes, reservedBytes }) => usedBytes + reservedBytes > 0)
  const me = session.value?.principal?.name
  return (filled.find(({ name }) => name === me) ?? filled[0])?.name
}
