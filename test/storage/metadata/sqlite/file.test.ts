import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { sqliteMetadata } from '../../../../src/storage/metadata/sqlite/index.js'
import { loadBetterSqlite, loadNodeSqlite } from '../../../../src/storage/metadata/sqlite/library.js'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sif-library-sqlite-'))
})
afterEach(() => rm(folder, { recursive: true }))

const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8)
const newEntity = { id: '1'.repeat(24), name: 'alice', description: '', defaultPrivate: false, owner: null, now: 1 }

describe('the file', () => {
  test('is opened in ready() or at the first use, not before', async () => {
    const file = join(folder, 'registry.db')
    const store = sqliteMetadata({ file })
    expect(existsSync(file)).toBe(false)
    expect(await store.entities.findByName('alice')).toBeUndefined()
    expect(existsSync(file)).toBe(true)
    await store.close()
    const unused = sqliteMetadata({ file: join(folder, 'unused.db') })
    await unused.close()
    await expect(unused.ready()).rejects.toMatchObject({ code: 'closed' })
    expect(existsSync(join(folder, 'unused.db'))).toBe(false)
  })

  test('is private to its user, like its journal and the folders made for it', async () => {
    const file = join(folder, 'data', 'deep', 'registry.db')
    const umask = process.umask(0)
    try {
      const store = sqliteMetadata({ file })
      await store.entities.createIfAbsent(newEntity)
      expect(await Promise.all([file, `${file}-wal`, `${file}-shm`].map(modeOf))).toEqual(['600', '600', '600'])
      expect(await Promise.all([join(folder, 'data'), join(folder, 'data', 'deep')].map(modeOf))).toEqual([
        '700',
        '700',
      ])
      await store.close()
    } finally {
      process.umask(umask)
    }
  })

  test('keeps what was written', async () => {
    const file = join(folder, 'registry.db')
    const store = sqliteMetadata({ file })
    const { record } = await store.entities.createIfAbsent(newEntity)
    await store.close()
    const again = sqliteMetadata({ file })
    expect(await again.entities.findByName('alice')).toEqual(record)
    await again.close()
  })

  test('that is no database is refused and left as it is', async () => {
    const file = join(folder, 'registry.db')
    await writeFile(file, 'my diary, '.repeat(1000))
    const store = sqliteMetadata({ file })
    await expect(store.ready()).rejects.toMatchObject({
      name: 'MetadataError',
      code: 'internal',
      message: expect.stringContaining(file),
    })
    expect((await store.check()).ok).toBe(false)
    await store.close()
    expect(await readFile(file, 'utf8')).toBe('my diary, '.repeat(1000))
  })

  test('that can not be made is unavailable, until it can', async () => {
    await writeFile(join(folder, 'data'), '')
    const store = sqliteMetadata({ file: join(folder, 'data', 'registry.db') })
    await expect(store.ready()).rejects.toMatchObject({ code: 'unavailable' })
    await expect(store.entities.findByName('alice')).rejects.toMatchObject({ code: 'unavailable' })
    await rm(join(folder, 'data'))
    await store.ready()
    expect((await store.check()).ok).toBe(true)
    await store.close()
  })

  test('must have a name', () => {
    expect(() => sqliteMetadata({ file: '' })).toThrow(TypeError)
  })
})

describe('a database that another process writes to', () => {
  test('is waited for, then given up as unavailable and worth a retry; reads go on', async () => {
    const file = join(folder, 'registry.db')
    const store = sqliteMetadata({ file, busyMs: 50 })
    const { record } = await store.entities.createIfAbsent(newEntity)
    const other = (loadNodeSqlite() ?? (await loadBetterSqlite()))(file)
    other.exec('BEGIN IMMEDIATE')
    const start = Date.now()
    await expect(store.entities.createIfAbsent({ ...newEntity, name: 'bob' })).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
    })
    expect(Date.now() - start).toBeGreaterThanOrEqual(45)
    expect(await store.entities.findByName('alice')).toEqual(record)
    other.exec('COMMIT')
    other.close()
    await expect(
      store.entities.createIfAbsent({ ...newEntity, id: '2'.repeat(24), name: 'bob' }),
    ).resolves.toMatchObject({ created: true })
    await store.close()
  })
})

describe('the library behind it', () => {
  test('is node:sqlite where this Node has it', () => {
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
    expect(loadNodeSqlite() !== undefined).toBe(major > 22 || (major === 22 && minor >= 13))
  })

  test('is named, with its version and the other way out, when it is missing', async () => {
    vi.doMock('better-sqlite3', () => {
      throw new Error('Cannot find package')
    })
    vi.resetModules()
    const fresh = await import('../../../../src/storage/metadata/sqlite/library.js')
    const failure = fresh.loadBetterSqlite()
    await expect(failure).rejects.toMatchObject({ name: 'MetadataError', code: 'driver-missing', retryable: false })
    await expect(failure).rejects.toThrow(/Node 22\.13.*better-sqlite3@12/s)
    vi.doUnmock('better-sqlite3')
    vi.resetModules()
  })
})
