/** After a failover the connection led to a standby: writes were `internal` (HTTP 500) until the connection broke, reads showed what was old, and `check` said that all is well. */
import { chownSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findPrograms, startPostgres } from '../../../scripts/postgres.mjs'
import { postgresMetadata } from '../../../src/storage/metadata/postgres/index.js'

const isMissing = findPrograms() === undefined && process.getuid?.() !== 0

describe.skipIf(isMissing)('a server that takes no changes', () => {
  let server: Awaited<ReturnType<typeof startPostgres>>
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.stop())

  const admin = async (sql: string) => {
    const client = new pg.Client({ connectionString: server.url })
    client.on('error', () => undefined)
    await client.connect()
    return client.query(sql).finally(() => client.end())
  }

  /** Restarts the server as a standby; `promote` makes it a primary again. */
  async function demote() {
    const folder = (await admin('SHOW data_directory')).rows[0].data_directory
    await server.end()
    const signal = join(folder, 'standby.signal')
    writeFileSync(signal, '')
    const { uid, gid } = statSync(folder)
    chownSync(signal, uid, gid)
    // says that it is ready only once it is a primary
    const started = server.start()
    started.catch(() => undefined)
    for (;;) {
      const isUp = await admin('SELECT 1').then(
        () => true,
        () => false,
      )
      if (isUp) break
      await wait(50)
    }
    return async () => {
      await admin('SELECT pg_promote()')
      await started
    }
  }

  const entity = { id: '1'.repeat(24), name: 'alice', description: '', defaultPrivate: false, owner: null, now: 1 }
  const touch = { state: 'open', expiresAt: 2, now: 1 } as const
  const unavailable = { name: 'MetadataError', code: 'unavailable', retryable: true }

  test('a standby is not taken, and waited for until it is promoted', async () => {
    const impatient = postgresMetadata({ url: server.url, retryMs: 0 })
    const patient = postgresMetadata({ url: server.url, retryMs: 60_000 })
    await Promise.all([impatient.ready(), patient.ready()])
    const promote = await demote()
    const fresh = postgresMetadata({ url: server.url, retryMs: 0 })
    for (const call of [
      () => impatient.entities.createIfAbsent(entity),
      () => impatient.entities.findByName('alice'),
      () => impatient.uploads.touch('0'.repeat(24), touch),
      () => fresh.ready(),
    ]) {
      await expect(call()).rejects.toMatchObject({ ...unavailable, message: expect.stringContaining('recovery') })
    }
    expect(await impatient.check()).toEqual({ ok: false, message: expect.stringContaining('recovery') })
    const connections = `SELECT pid FROM pg_stat_activity WHERE application_name = 'sif-library'`
    await expect.poll(async () => (await admin(connections)).rows).toEqual([])
    const made = patient.entities.createIfAbsent(entity)
    const touched = patient.uploads.touch('0'.repeat(24), touch)
    await wait(500)
    await promote()
    expect((await made).created).toBe(true)
    await touched
    expect((await impatient.entities.findByName('alice'))?.id).toBe(entity.id)
    expect((await impatient.check()).ok).toBe(true)
    await Promise.all([impatient, patient, fresh].map((store) => store.close()))
  })

  test('one closed to changes is waited for until it is opened', async () => {
    const impatient = postgresMetadata({ url: server.url, retryMs: 0 })
    const patient = postgresMetadata({ url: server.url, retryMs: 60_000 })
    await Promise.all([impatient.ready(), patient.ready()])
    const close = async (isClosed: boolean) => {
      await admin(`ALTER SYSTEM SET default_transaction_read_only = ${isClosed ? 'on' : 'off'}`)
      await admin('BEGIN READ WRITE; SELECT pg_reload_conf(); COMMIT')
      await wait(300)
    }
    await close(true)
    const other = { ...entity, id: '2'.repeat(24), name: 'bob' }
    // one statement, and a transaction of several: who closes a server copies it away, and what it took after that would be lost
    await expect(impatient.uploads.touch('0'.repeat(24), touch)).rejects.toMatchObject(unavailable)
    await expect(impatient.entities.createIfAbsent(other)).rejects.toMatchObject(unavailable)
    // pulls go on
    expect(await impatient.entities.findByName('bob')).toBeUndefined()
    expect((await impatient.check()).ok).toBe(true)
    const created = patient.entities.createIfAbsent(other)
    const touched = patient.uploads.touch('0'.repeat(24), touch)
    await wait(300)
    await close(false)
    await touched
    expect((await created).created).toBe(true)
    await Promise.all([impatient.close(), patient.close()])
  })
})
