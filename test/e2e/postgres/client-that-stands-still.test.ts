/**
 * A process that stood still in the middle of a transaction (SIGSTOP, a frozen machine) had its connection closed by the server, and took that for a failure
 * that no time heals.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findPrograms, startPostgres } from '../../../scripts/postgres.mjs'
import { PostgresDriver } from '../../../src/storage/metadata/postgres/driver.js'
import type { Steps } from '../../../src/storage/metadata/sql/steps.js'

const isMissing = findPrograms() === undefined && process.getuid?.() !== 0
const statementMs = 500

describe.skipIf(isMissing)('a client that stands still in a transaction for longer than the server waits', () => {
  let server: Awaited<ReturnType<typeof startPostgres>>
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.stop())

  async function standStill(retryMs: number): Promise<unknown> {
    const driver = new PostgresDriver({
      pool: { connectionString: server.url, max: 1 },
      schema: 'public',
      statementMs,
      retryMs,
    })
    await driver.open()
    let isFirst = true
    const run = driver.run('transaction', function* (): Steps<unknown> {
      yield { sql: 'SELECT 1 AS one', values: [] }
      // nothing at all runs in this process meanwhile
      if (isFirst) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3 * statementMs)
      isFirst = false
      return (yield { sql: 'SELECT 2 AS two', values: [] })[0]?.two
    })
    return run.finally(() => driver.close())
  }

  test('tries again', async () => {
    expect(await standStill(5000)).toBe(2)
  })

  test('or says that time heals it', async () => {
    await expect(standStill(0)).rejects.toMatchObject({ name: 'MetadataError', code: 'unavailable', retryable: true })
  })
})
