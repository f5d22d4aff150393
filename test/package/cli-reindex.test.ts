import { existsSync, readFileSync, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt } from '../e2e/harness/build.js'
import { cleanUpAfterEach, clientOf, command, serve, succeed, temporaryFolder } from './cli-support.js'

beforeAll(ensureBuilt)
cleanUpAfterEach()

const adminToken = (data: string): string => readFileSync(join(data, 'admin-token'), 'utf8').trim()
const loseDatabase = (data: string): void => {
  for (const end of ['', '-wal', '-shm']) rmSync(join(data, `registry.db${end}`), { force: true })
}

/** A data folder with two images, one of them private, whose server has stopped. */
async function populated(): Promise<string> {
  const data = await temporaryFolder()
  const server = await serve(data)
  const client = clientOf(server.url, adminToken(data))
  await client.push('admin/demo/shown', Buffer.from('shown'))
  await client.push('admin/demo/hidden', Buffer.from('hidden'))
  expect(await succeed(['visibility', 'admin/demo/hidden', 'private', '--data', data])).toBe(
    'admin/demo/hidden private',
  )
  await server.stop()
  return data
}

describe('reindex', () => {
  it('a dry run says what is missing, a run brings it back, and a second one finds nothing', async () => {
    const data = await populated()
    const at = ['--data', data]
    loseDatabase(data)
    const dry = await succeed(['reindex', '--dry-run', ...at])
    expect(existsSync(join(data, 'registry.db'))).toBe(false)
    expect(dry.split('\n')).toEqual([
      'would restore entity admin: public',
      'would restore collection admin/demo: public',
      expect.stringMatching(/^would restore container admin\/demo\/(shown: public|hidden: private)$/),
      expect.stringMatching(/^would restore container admin\/demo\/(shown: public|hidden: private)$/),
      ...Array.from({ length: 4 }, () =>
        expect.stringMatching(
          /^would restore (image \S+:sha256\.[0-9a-f]{64} \(\d bytes\): published|tag \S+:latest: amd64)$/,
        ),
      ),
      '1 entities, 1 collections, 2 containers, 2 images, 2 tags; 11 bytes',
      'not known from the storage:',
      expect.stringMatching(/^- users, groups and tokens/),
      ...Array.from({ length: 3 }, () => expect.stringMatching(/^- /)),
    ])
    const done = await succeed(['reindex', ...at])
    expect(
      done
        .replace(/^restored /gm, 'would restore ')
        .split('\n')
        .sort(),
    ).toEqual(dry.split('\n').sort())
    const again = JSON.parse(await succeed(['reindex', '--json', ...at]))
    expect(again).toMatchObject({
      images: 0,
      tags: 0,
      problems: 0,
      orphans: 0,
      dryRun: false,
      items: [],
      notCovered: expect.any(Array),
    })

    const server = await serve(data)
    expect((await clientOf(server.url).pull('admin/demo/shown:latest')).bytes.toString()).toBe('shown')
    expect((await clientOf(server.url).pull('admin/demo/hidden:latest')).status).toBe(404)
    expect((await clientOf(server.url, adminToken(data)).pull('admin/demo/hidden:latest')).bytes.toString()).toBe(
      'hidden',
    )
  })

  it('works beside a server that started on nothing; until then a sweep keeps the blobs and says why', async () => {
    const data = await populated()
    loseDatabase(data)
    const server = await serve(data)
    expect((await clientOf(server.url).pull('admin/demo/shown:latest')).status).toBe(404)
    const swept = await succeed(['sweep', '--grace', '0s', '--data', data])
    expect(swept).toMatch(
      /^0 uploads, 0 images, 0 blobs, 0 orphans, 0 temporary files; 0 bytes\n2 blobs are kept because .* run sif-library reindex$/,
    )
    await succeed(['reindex', '--data', data])
    expect((await clientOf(server.url).pull('admin/demo/shown:latest')).bytes.toString()).toBe('shown')
    expect(await succeed(['sweep', '--grace', '0s', '--data', data])).toBe(
      '0 uploads, 0 images, 0 blobs, 0 orphans, 0 temporary files; 0 bytes',
    )
  })

  it('exits 1 when bytes are missing, and says of which image', async () => {
    const data = await populated()
    loseDatabase(data)
    const blobs = join(data, 'blobs/keys/blobs')
    const files = (await readdir(blobs, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
    for (const { parentPath, name } of files.slice(0, 1)) rmSync(join(parentPath, name))
    const { code, stdout } = await command(['reindex', '--data', data])
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(
        /cannot restore image admin\/demo\/\S+: its bytes are not in the storage\n(?:.*\n)*1 could not be restored/,
      ),
    ])
  })

  it('founds no registry where nothing is', async () => {
    const data = await temporaryFolder()
    const { code, stderr } = await command(['reindex', '--data', data])
    expect([code, stderr]).toEqual([1, expect.stringContaining('there is no registry in')])
    expect(await readdir(data)).toEqual([])
  })
})

describe('sweep --explain', () => {
  it('says why a blob stays and when it goes, and changes nothing', async () => {
    const data = await temporaryFolder()
    const { url } = await serve(data)
    const client = clientOf(url, adminToken(data))
    await client.push('admin/demo/kept', Buffer.from('kept'))
    const gone = await client.push('admin/demo/gone', Buffer.from('gone'))
    const { hash, uploadUrl } = await client.startPush('admin/demo/half', Buffer.from('half'))
    expect((await fetch(uploadUrl, { method: 'PUT', body: 'half' })).status).toBe(200)
    expect((await client.call('DELETE', '/v1/images/admin/demo/gone:latest?arch=amd64')).status).toBe(200)
    const at = ['--data', data]
    const keys = (await readdir(join(data, 'blobs/keys/blobs'), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(data, 'blobs/keys/').length))
    const explain = async (what: string, ...more: readonly string[]) =>
      JSON.parse(await succeed(['sweep', '--explain', what, '--json', ...more, ...at]))
    const fates = await Promise.all(keys.map(async (key) => (await explain(key))[0].fate))
    expect(fates.sort()).toEqual(['goes', 'kept', 'kept'])

    const kept =
      keys[
        (await Promise.all(keys.map((key) => readFileSync(join(data, 'blobs/keys', key), 'utf8')))).indexOf('kept')
      ] ?? ''
    const [, , , digest = '', uploadId = ''] = kept.split('/')
    const line = `${kept} (4 bytes): kept because image sha256.${digest} of admin/demo/kept, tagged latest (amd64) refers to it`
    for (const what of [kept, uploadId, digest, `sha256.${digest}`])
      expect(await succeed(['sweep', '--explain', what, ...at])).toBe(line)
    expect(gone).toMatch(/^sha256\./)
    expect((await explain(gone))[0].why).toMatch(/^no image refers to it since \S+; goes after \S+Z$/)
    expect((await explain(gone, '--grace', '0s'))[0].why).toMatch(/; goes with the next sweep$/)
    expect((await explain(hash))[0].why).toMatch(
      /^kept because upload [0-9a-f]{24} is under way, until \S+Z if it shows no sign of life$/,
    )
    expect(await command(['sweep', '--explain', 'blobs/nothing', ...at])).toMatchObject({
      code: 1,
      stdout: 'blobs/nothing: no such key\n',
    })
    expect((await client.pull('admin/demo/kept:latest')).bytes.toString()).toBe('kept')
  })
})
