const dayMs = 86_400_000

/** The number of the day (UTC) since 1970-01-01. */
export function dayOf(time: number): number {
  return Math.floor(time / dayMs)
}
