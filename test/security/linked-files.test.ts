/** Private files of the data folder are files: a link is not followed, whatever it leads to. */
import { execFileSync } from 'node:child_process'
import { lstat, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { dataFolder, loadSecret, readServerRecord } from '../../src/cli/data-folder.js'
import { resolveSettings } from '../../src/cli/options/resolve.js'
import { writePrivateFile } from '../../src/cli/private-file.js'

let data: string
let elsewhere: string
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'sif-library-linked-'))
  elsewhere = join(data, 'elsewhere')
  await writeFile(elsewhere, '{"url":"http://elsewhere.example"} a secret of somebody else, long enough')
})
afterEach(() => rm(data, { recursive: true }))

const load = (flags: Record<string, unknown> = {}) =>
  loadSecret(dataFolder({ data }), {
    settings: resolveSettings({ flags: { data, ...flags }, environment: {} }),
    environment: {},
  })

test('a linked secret is refused, and the message says what to do', async () => {
  const { secretFile } = dataFolder({ data })
  await symlink(elsewhere, secretFile)
  await expect(load()).rejects.toThrow(/secret is a link and not read: .*--secret-file/)
  // one that leads nowhere is not made there either
  await rm(secretFile)
  await symlink(join(data, 'nowhere'), secretFile)
  await expect(load()).rejects.toThrow(/is a link/)
  await expect(lstat(join(data, 'nowhere'))).rejects.toThrow('ENOENT')
})

test('nor is a pipe read, which would wait for ever', async () => {
  execFileSync('mkfifo', [dataFolder({ data }).secretFile])
  await expect(load()).rejects.toThrow(/no plain file/)
})

test('a link that the operator names is read: container platforms mount secrets so', async () => {
  const link = join(data, 'mounted')
  await symlink(elsewhere, link)
  expect(await load({ secretFile: link })).toContain('a secret of somebody else')
})

test('a linked server.json is not believed', async () => {
  await symlink(elsewhere, dataFolder({ data }).serverFile)
  await expect(readServerRecord(dataFolder({ data }))).rejects.toThrow(/is a link/)
})

test('what is written takes the place of a link, and leaves alone what it led to', async () => {
  const { adminToken } = dataFolder({ data })
  await symlink(elsewhere, adminToken)
  await writePrivateFile(adminToken, 'token\n')
  expect((await lstat(adminToken)).isFile()).toBe(true)
  expect((await lstat(adminToken)).mode & 0o777).toBe(0o600)
  expect(await readFile(elsewhere, 'utf8')).toContain('somebody else')
})
