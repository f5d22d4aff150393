/** The database is lost, and the storage gives back a registry that can be pulled from: with the real server, over both kinds of storage and database. */
import { createHash, randomBytes } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { expect, it } from 'vitest'
import { makeRegistryClient, type RegistryClient } from '../faults/client.js'
import { makeHttpClient } from '../faults/http.js'
import { makeImages, type TestImage } from '../faults/images.js'
import { sweepAndAudit } from '../faults/settle.js'
import type { Stack } from '../faults/stack.js'
import { filesystemStack } from '../faults/stack-filesystem.js'
import { minioStack } from '../faults/stack-minio.js'
import { describeWhen } from './harness/availability.js'
import { ensureBuilt } from './harness/build.js'
import { CLI, PACKAGE as root } from './harness/paths.js'
import { runOk } from './harness/run.js'
import { startProcess } from './harness/server-process.js'
import { servicesMissing } from './harness/services.js'

interface Running {
  readonly client: RegistryClient
  /** As admin, or as nobody. undefined where the server has nothing to show. */
  readonly pull: (kept: Pick<Kept, 'reference' | 'arch'>, as: 'admin' | 'nobody') => Promise<Buffer | undefined>
}

async function withServer(stack: Stack, work: (running: Running) => Promise<void>): Promise<void> {
  const args = [CLI, 'serve', '--data', stack.data, '--port', '0', '--log-level', 'warn', ...stack.serveArgs]
  const server = await startProcess({ args, env: stack.env })
  const http = makeHttpClient()
  try {
    const token = (await readFile(join(stack.data, 'admin-token'), 'utf8')).trim()
    const pull: Running['pull'] = async ({ reference, arch }, as) => {
      const { status, headers } = await http.send(
        'GET',
        `${server.url}/v1/imagefile/${reference}?arch=${arch}`,
        as === 'admin' ? { token } : {},
      )
      if (status === 404) return undefined
      expect(status).toBe(303)
      return (await http.send('GET', String(headers.location))).bytes
    }
    await work({ client: makeRegistryClient({ url: server.url, token, http }), pull })
  } finally {
    http.close()
    await server.stop()
  }
}

interface Kept {
  readonly reference: string
  readonly arch: string
  readonly image: TestImage
  readonly public: boolean
}

async function tagAs(
  client: RegistryClient,
  path: string,
  tag: { readonly arch: string; readonly name: string; readonly image: TestImage },
): Promise<void> {
  const { data } = await client.call('GET', `/v1/images/${path}:sha256.${tag.image.digest}`)
  const answer = await client.call('POST', `/v2/tags/${data.container}`, {
    json: { Arch: tag.arch, Tag: tag.name, ImageID: data.id },
  })
  expect(answer.status).toBe(200)
}

async function loseAndRebuild(stack: Stack, loseDatabase: () => Promise<void>): Promise<void> {
  await ensureBuilt()
  const cli = (words: readonly string[]): Promise<string> =>
    runOk(process.execPath, {
      args: [CLI, ...words, '--data', stack.data, ...stack.serveArgs.slice(0, stack.serveArgs.indexOf('--part-size'))],
      env: stack.env,
    })
  const { single, multipart } = stack.sizes
  const images = makeImages(multipart.max)
  const [one, two, four] = [images(1, single.max), images(2, multipart.max), images(4, single.min)]
  const bytes = randomBytes(single.min)
  // no SIF, so that its tags alone say which arch it is
  const three = { bytes, digest: createHash('sha256').update(bytes).digest('hex') }
  const kept: readonly Kept[] = [
    { reference: 'admin/tools/bwa:latest', arch: 'amd64', image: two, public: true },
    { reference: 'admin/tools/bwa:1.0', arch: 'amd64', image: one, public: true },
    { reference: 'admin/tools/bwa:stable', arch: 'amd64', image: one, public: true },
    { reference: 'admin/tools/bwa:latest', arch: 'arm64', image: three, public: true },
    { reference: 'admin/secret/thing:latest', arch: 'amd64', image: one, public: false },
    { reference: 'lab/own/last:latest', arch: 'amd64', image: four, public: true },
  ]
  await withServer(stack, async ({ client }) => {
    await client.push({ path: 'admin/tools/bwa', tag: '1.0', kind: 'single', image: one })
    await client.push({ path: 'admin/tools/bwa', tag: 'stable', kind: 'single', image: one })
    await client.push({ path: 'admin/tools/bwa', tag: 'latest', kind: 'single', image: one })
    await client.push({ path: 'admin/tools/bwa', tag: 'latest', kind: 'multipart', image: two })
    await client.push({ path: 'admin/tools/bwa', tag: 'other', kind: 'direct', image: three })
    await tagAs(client, 'admin/tools/bwa', { arch: 'arm64', name: 'latest', image: three })
    await client.push({ path: 'admin/secret/thing', tag: 'latest', kind: 'single', image: one })
    expect(await cli(['visibility', 'admin/secret', 'private'])).toContain('private')
    await client.push({ path: 'admin/tools/gone', tag: 'latest', kind: 'single', image: three })
    expect(await client.remove('admin/tools/gone:latest')).toBe(true)
    await client.push({ path: 'lab/own/last', tag: 'latest', kind: 'single', image: four })
  })
  await loseDatabase()
  // a server that starts on the empty database makes nothing worse
  await withServer(stack, async ({ client }) => {
    for (const { reference } of kept) expect(await client.look(reference)).toBe('absent')
  })
  expect(await cli(['sweep', '--grace', '0s'])).toMatch(
    /^0 uploads, 0 images, 0 blobs, 0 orphans, [\s\S]*blobs are kept/,
  )
  const counts = /2 entities, 3 collections, 4 containers, 5 images, 7 tags/
  expect(await cli(['reindex', '--dry-run'])).toMatch(counts)
  expect(await cli(['reindex'])).toMatch(counts)
  expect(await cli(['reindex'])).toMatch(/^0 entities, 0 collections, 0 containers, 0 images, 0 tags/)

  await withServer(stack, async ({ client, pull }) => {
    for (const each of kept) {
      expect((await pull(each, 'admin'))?.equals(each.image.bytes), `${each.reference} ${each.arch}`).toBe(true)
      expect((await pull(each, 'nobody'))?.equals(each.image.bytes) ?? false, `${each.reference} ${each.arch}`).toBe(
        each.public,
      )
    }
    expect(await client.look('admin/tools/gone:latest')).toBe('absent')
    // life goes on
    await client.push({ path: 'admin/tools/bwa', tag: 'latest', kind: 'single', image: four })
    expect((await client.pull('admin/tools/bwa:latest'))?.equals(four.bytes)).toBe(true)
  })
  expect(await cli(['verify', '--all'])).toContain(' 0 damaged, 0 healed, 0 unreadable')
  const violations: string[] = []
  await sweepAndAudit(root, { stack, violation: (text) => violations.push(text), verify: true })
  expect(violations).toEqual([])
}

it('SQLite is lost, over a folder', async () => {
  const stack = await filesystemStack({ root })
  try {
    await loseAndRebuild(stack, async () => {
      for (const end of ['', '-wal', '-shm']) await rm(join(stack.data, `registry.db${end}`), { force: true })
    })
  } finally {
    await stack.close()
  }
})

describeWhen(await servicesMissing(), 'reindex over PostgreSQL and MinIO')('PostgreSQL and MinIO', () => {
  it('PostgreSQL is lost, over MinIO', async () => {
    const stack = await minioStack({ root, records: 'postgres' })
    try {
      await loseAndRebuild(stack, async () => {
        const [, connectionString] = stack.serveArgs.slice(stack.serveArgs.indexOf('--metadata'))
        const client = new pg.Client({ connectionString })
        await client.connect()
        await client.query('DROP SCHEMA sif_library CASCADE')
        await client.end()
      })
    } finally {
      await stack.close()
    }
  })
})
