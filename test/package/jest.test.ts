/** A portal on Express, tested with Jest by its owners: there Node's errors and bytes come from another realm than the code. */
import { beforeAll, expect, test } from 'vitest'
import { run } from '../e2e/harness/run.js'
import { type Consumer, install, pack } from './packed.js'

let consumer: Consumer
beforeAll(async () => {
  consumer = await install(await pack(), { linked: ['express', 'better-sqlite3'], packages: ['jest@30.5.2'] })
})

const portal = `
const { createHash } = require('node:crypto')
const { mkdtempSync, rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const express = require('express')
const { createLibrary, isLibraryError } = require('sif-library')
const { libraryMiddleware } = require('sif-library/express')
const { filesystemStorage } = require('sif-library/storage/filesystem')
const { isStorageError } = require('sif-library/storage')
const { sqliteMetadata } = require('sif-library/metadata/sqlite')
const { describeStorageBackend } = require('sif-library/testing')

let root, library, server, url, token
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'sif-library-jest-'))
  library = createLibrary({
    publicUrl: () => url,
    storage: filesystemStorage({ directory: join(root, 'blobs') }),
    metadata: sqliteMetadata({ file: join(root, 'registry.db') }),
  })
  await library.ready()
  server = await new Promise((resolve) => {
    const started = express().use('/library', libraryMiddleware(library)).listen(0, '127.0.0.1', () => resolve(started))
  })
  url = 'http://127.0.0.1:' + server.address().port + '/library'
  await library.accounts.addUser({ name: 'alice' })
  token = (await library.accounts.createToken({ user: 'alice' })).token
})
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve))
  await library.close()
  rmSync(root, { recursive: true })
})

const call = async (method, path, body) => {
  const answer = await fetch(path.startsWith('http') ? path : url + path, {
    method,
    headers: { authorization: 'Bearer ' + token },
    body: body === undefined || body instanceof Buffer ? body : JSON.stringify(body),
  })
  const text = await answer.text()
  return { status: answer.status, data: text === '' ? undefined : JSON.parse(text).data }
}

test('the errors of Node are of another realm here', () => {
  try {
    require('node:fs').readFileSync('/none')
  } catch (error) {
    expect(error instanceof Error).toBe(false)
  }
})

test('an image is pushed, found and pulled', async () => {
  const bytes = Buffer.from('the bytes of an image '.repeat(9999))
  const hex = createHash('sha256').update(bytes).digest('hex')
  const entity = (await call('POST', '/v1/entities', { name: 'alice' })).data.id
  const collection = (await call('POST', '/v1/collections', { name: 'tools', entity })).data.id
  const container = (await call('POST', '/v1/containers', { name: 'bwa', collection })).data.id
  const image = (await call('POST', '/v1/images', { hash: 'sha256.' + hex, container })).data.id
  const { data } = await call('POST', '/v2/imagefile/' + image, { filesize: bytes.length, sha256sum: hex })
  expect((await fetch(data.uploadURL, { method: 'PUT', body: bytes })).status).toBe(200)
  expect((await call('PUT', '/v2/imagefile/' + image + '/_complete', {})).status).toBe(200)
  expect((await call('POST', '/v2/tags/' + container, { tag: '1.0', arch: 'amd64', imageID: image })).status).toBe(200)
  const pulled = Buffer.from(await (await fetch(url + '/v1/imagefile/alice/tools/bwa:1.0?arch=amd64')).arrayBuffer())
  expect(createHash('sha256').update(pulled).digest('hex')).toBe(hex)
  expect((await fetch(url + '/readyz')).status).toBe(200)
  expect((await call('GET', '/v1/images/alice/tools/none:1.0')).status).toBe(404)
})

test('guards know the errors', async () => {
  expect(isLibraryError(await library.accounts.createToken({ user: 'nobody' }).catch((error) => error), 'not-found')).toBe(true)
  const storage = filesystemStorage({ directory: join(root, 'blobs') })
  expect(isStorageError(await storage.get('no/such').catch((error) => error), 'not-found')).toBe(true)
})

describeStorageBackend({ describe, test }, {
  name: 'filesystem',
  lacks: ['presign', 'presign.part', 'prove'],
  create: () => {
    const directory = mkdtempSync(join(root, 'suite-'))
    return { backend: filesystemStorage({ directory, durability: 'none' }), dispose: async () => rmSync(directory, { recursive: true }) }
  },
})
`

test('all of it passes under Jest', async () => {
  await consumer.write('portal.test.js', portal)
  const { code, stdout, stderr } = await run(process.execPath, {
    args: ['node_modules/jest/bin/jest.js', '--testEnvironment', 'node', '--ci'],
    cwd: consumer.folder,
    timeout: 230_000,
  })
  expect(code, `${stdout}\n${stderr}`).toBe(0)
  expect(stderr).toMatch(/Tests: +\d{2,} passed/)
})
