/**
 * A crash on the first start left an `admin` without a token, or an empty secret file, and `serve` then never started usable again. Instances that started
 * together on one folder met the same: one of them found the name taken, or read the secret before it was written.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { dataFolder, loadSecret, prepareDataFolder } from '../../../src/cli/data-folder.js'
import { resolveSettings } from '../../../src/cli/options/resolve.js'
import { createAdmin } from '../../../src/cli/serve/first-start.js'
import { type Accounts, createAccounts } from '../../../src/core/auth/accounts.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'

describe('first start', () => {
  let directory: string
  let accounts: Accounts
  let close: () => Promise<void>
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sif-library-first-'))
    const metadata = sqliteMetadata({ file: ':memory:' })
    close = () => metadata.close()
    accounts = createAccounts({ metadata })
  })
  afterEach(async () => {
    await close()
    await rm(directory, { recursive: true, force: true })
  })
  const folder = () => dataFolder({ data: directory })
  const principalOf = async (): Promise<string | undefined> => {
    const token = (await readFile(folder().adminToken, 'utf8')).trim()
    const headers = { authorization: `Bearer ${token}` }
    return (
      await accounts.authenticate({
        method: 'GET',
        path: '/',
        query: '',
        headers,
        body: { kind: 'none' },
      } as Parameters<Accounts['authenticate']>[0])
    )?.name
  }

  test('an admin that was made without a token gets one at the next start', async () => {
    await accounts.addUser({ name: 'admin', admin: true })
    expect(await createAdmin(accounts, folder())).toBe(true)
    expect(await principalOf()).toBe('admin')
    expect(await createAdmin(accounts, folder())).toBe(false)
  })

  test('instances that start together all start, and the token works', async () => {
    await Promise.all(Array.from({ length: 8 }, () => createAdmin(accounts, folder())))
    expect(await principalOf()).toBe('admin')
    expect((await accounts.listUsers()).map(({ name }) => name)).toEqual(['admin'])
  })

  test('a registry with users of its own gets no admin', async () => {
    await accounts.addUser({ name: 'alice' })
    expect(await createAdmin(accounts, folder())).toBe(false)
  })

  test('instances that start together read one whole secret', async () => {
    for (let round = 0; round < 20; round += 1) {
      const data = join(directory, String(round))
      const settings = resolveSettings({ flags: { data }, environment: {} })
      await prepareDataFolder(dataFolder({ data }))
      const secrets = await Promise.all(
        Array.from({ length: 8 }, () => loadSecret(dataFolder({ data }), { settings, environment: {} })),
      )
      expect(new Set(secrets).size).toBe(1)
      expect(secrets[0]).toMatch(/^[\w-]{43}$/)
      expect(await readdir(data)).toEqual(['secret'])
    }
  })

  test('a secret file that is there is never replaced, also an empty one', async () => {
    await writeFile(folder().secretFile, '\n')
    const settings = resolveSettings({ flags: { data: directory }, environment: {} })
    await expect(loadSecret(folder(), { settings, environment: {} })).rejects.toThrow('is empty')
  })
})
