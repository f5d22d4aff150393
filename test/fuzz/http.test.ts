/** Hostile raw requests against the registry in a process of its own; `node scripts/fuzz-http.mjs` makes 100,000 of them. */
import { expect, test } from 'vitest'
import { fuzzHttp } from '../../scripts/fuzz-http.mjs'
import { seed } from './settings.js'

const MiB = 1024 * 1024

test('3,000 hostile requests: no 5xx, no hang, nothing left behind', { timeout: 180_000 }, async () => {
  const result = await fuzzHttp({ requests: 3000, seed })
  expect(result.serverErrors.slice(0, 3)).toEqual([])
  expect(result.hangs.slice(0, 3)).toEqual([])
  expect(result.kept).toBe(true)
  // the published image, and no file of the uploads that were begun
  expect(result.left.length).toBeLessThanOrEqual(1)
  expect(result.after.connections).toBe(0)
  expect(result.after.handles - result.before.handles).toBeLessThanOrEqual(2)
  expect(result.after.heapUsed - result.before.heapUsed).toBeLessThan(16 * MiB)
  expect(result.requests).toBeGreaterThanOrEqual(3000)
  // it got past the door: hits, refusals and every kind of miss
  for (const status of [200, 400, 401, 403, 404, 405, 422])
    expect(result.statuses[status] ?? 0, String(status)).toBeGreaterThan(0)
})
