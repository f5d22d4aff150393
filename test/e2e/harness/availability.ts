import { describe } from 'vitest'

/**
 * `describe` where everything needed is there. Otherwise says aloud what is skipped and why, and with
 * SIF_LIBRARY_TEST_REQUIRE_ALL=1 makes the skip a failure of the file.
 */
export function describeWhen(missing: string | undefined, what: string): typeof describe | typeof describe.skip {
  if (missing === undefined) return describe
  const sentence = `${what}: skipped, ${missing}`
  if (process.env.SIF_LIBRARY_TEST_REQUIRE_ALL === '1')
    throw new Error(`${sentence} (SIF_LIBRARY_TEST_REQUIRE_ALL=1 allows no skip)`)
  console.warn(sentence)
  return describe.skip
}
