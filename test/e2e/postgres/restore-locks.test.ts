/**
 * `images.restore` locked upload, entity, blob, where everybody else locks container, upload, blob, entity: it deadlocked beside a delete of an image on the same blob. And its blob could vanish
 * between the statement that found it there and the one that locked it: then the foreign key failed as `parent-missing`, which ended a whole reindex.
 */
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findPrograms, startPostgres } from '../../../scripts/postgres.mjs'
import type { RestoredImage } from '../../../src/storage/metadata/contract.js'
import { postgresMetadata } from '../../../src/storage/metadata/postgres/index.js'

const isMissing = findPrograms() === undefined && process.getuid?.() !== 0

describe.skipIf(isMissing)('restoring an image', () => {
  let server: Awaited<ReturnType<typeof startPostgres>>
  let admin: pg.Pool
  beforeAll(async () => {
    server = await startPostgres()
    admin = new pg.Pool({ connectionString: server.url, max: 2 })
    admin.on('error', () => undefined)
    await admin.query(`ALTER DATABASE postgres SET deadlock_timeout = '50ms'`)
  })
  afterAll(async () => {
    await admin?.end()
    await server?.stop()
  })

  const digest = 'ab'.repeat(32)
  const id = (number: number) => number.toString(16).padStart(24, '0')
  const key = (number: number) => `blobs/sha256/ab/${digest}/${id(number)}`
  const rows = { description: '', owner: null, now: 1 }

  /** An entity with two containers, 3 and 4. */
  async function openStore(schema: string) {
    const store = postgresMetadata({ url: server.url, schema })
    await store.entities.createIfAbsent({ ...rows, id: id(1), name: 'e', defaultPrivate: false })
    await store.collections.createIfAbsent({ ...rows, id: id(2), entityId: id(1), name: 'c', private: false })
    for (const number of [3, 4]) {
      await store.containers.createIfAbsent({
        ...rows,
        id: id(number),
        collectionId: id(2),
        name: `k${number}`,
        private: false,
      })
    }
    return store
  }

  function lost(number: number, container: number, blobKey: string): RestoredImage {
    return {
      ...{
        id: id(number),
        containerId: id(container),
        digest,
        blobKey,
        description: '',
        size: 5,
        state: 'published',
        arch: null,
        archFromHeader: false,
      },
      ...{
        signed: null,
        encrypted: null,
        fingerprints: [],
        owner: null,
        createdAt: 1,
        updatedAt: 1,
        publishedAt: 1,
        tags: [],
      },
    }
  }

  test('takes its locks in the order of the others: no deadlock beside a delete', async () => {
    const store = await openStore('locks')
    // whoever changed a blob or the counters of an entity holds it for a while
    await admin.query(`CREATE FUNCTION locks.linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END $$;
      CREATE TRIGGER linger AFTER UPDATE ON locks.blobs FOR EACH ROW EXECUTE FUNCTION locks.linger();
      CREATE TRIGGER linger AFTER UPDATE ON locks.entities FOR EACH ROW EXECUTE FUNCTION locks.linger()`)
    for (let round = 0; round < 40; round += 1) {
      const [other, own] = [1000 + round, 2000 + round]
      await store.images.restore(lost(other, 4, key(own)))
      await store.images.createIfAbsent({ ...rows, id: id(own), containerId: id(3), digest })
      await store.uploads.create({
        ...{
          id: id(own),
          kind: 'single',
          imageId: id(own),
          containerId: id(3),
          entityId: id(1),
          principal: null,
          key: key(own),
          size: 5,
          digest,
        },
        ...{ partSize: 5, totalParts: 1, backendUploadId: null, createdAt: 1, expiresAt: 9, defaultQuotaBytes: 0 },
      })
      const [restored, deleted] = await Promise.all([
        store.images.restore(lost(own, 3, key(own))),
        store.images.delete(id(other), 2),
      ])
      expect([restored.restored, deleted, (await store.uploads.find(id(own)))?.state]).toEqual([true, true, 'aborted'])
      expect(await store.entities.find(id(1))).toMatchObject({ usedBytes: 5, reservedBytes: 0 })
      await store.images.delete(id(own), 3)
    }
    await store.close()
    // sessions report what they counted when they end, at the latest
    await wait(1000)
    const { rows: counted } = await admin.query(`SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'`)
    expect(Number(counted[0].deadlocks)).toBe(0)
  })

  test('keeps its blob from being forgotten from the moment it found it there', async () => {
    const store = await openStore('forget')
    await store.images.restore(lost(100, 4, key(100)))
    await store.images.delete(id(100), 2)
    // whoever tried to insert a blob lingers before the next statement
    await admin.query(`CREATE FUNCTION forget.linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.6); RETURN NULL; END $$;
      CREATE TRIGGER linger AFTER INSERT ON forget.blobs FOR EACH STATEMENT EXECUTE FUNCTION forget.linger()`)
    const restoring = store.images.restore(lost(101, 3, key(100)))
    restoring.catch(() => undefined)
    await wait(200)
    expect([
      await store.blobs.forgetIfUnreferenced(key(100)),
      await restoring.then(({ restored }) => restored),
    ]).toEqual([false, true])
    expect(await store.blobs.find(key(100))).toMatchObject({ key: key(100), unreferencedAt: null })
    await store.close()
  })
})
