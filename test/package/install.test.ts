/** The package in an empty project: every door from ESM and CJS, and its types under an old and a new compiler. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { PACKAGE } from '../e2e/harness/paths.js'
import { run, runOk } from '../e2e/harness/run.js'
import { type Consumer, install, type Packed, pack } from './packed.js'

const peers = ['@aws-sdk/client-s3', '@smithy/protocol-http', '@smithy/signature-v4', 'better-sqlite3', 'pg', 'fastify']

/** Uses every door; the same text for both module systems. Prints one line when all went well. */
const use = `
async function use({ createLibrary, isLibraryError, LibraryError, libraryMiddleware, koa, libraryPlugin, libraryListener, libraryFetch, isStorageError, memoryStorage, filesystemStorage,
  s3Storage, isMetadataError, sqliteMetadata, postgresMetadata, describeStorageBackend }) {
  const { createServer } = await import('node:http')
  const { mkdtemp, rm } = await import('node:fs/promises')
  const assert = (await import('node:assert/strict')).default

  const library = createLibrary({ publicUrl: 'http://127.0.0.1/x', storage: memoryStorage(), metadata: sqliteMetadata({ file: ':memory:' }) })
  const get = async (listener) => {
    const server = createServer(listener).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const answer = await fetch('http://127.0.0.1:' + server.address().port + '/readyz')
    const body = await answer.json()
    server.close()
    server.closeAllConnections()
    assert.equal(answer.status, 200)
    assert.equal(body.metadata, true)
  }
  await get(libraryListener(library))
  const middleware = libraryMiddleware(library)
  await get((req, res) => middleware(req, res, () => res.writeHead(404).end()))
  assert.equal((await libraryFetch(library)(new Request('http://x/version'))).status, 200)
  assert.equal(typeof koa(library), 'function')
  const { fastify } = await import('fastify')
  const app = fastify()
  await app.register(libraryPlugin, { library, prefix: '/library' })
  assert.equal((await app.inject('/library/version')).statusCode, 200)
  await app.close()

  const failure = await memoryStorage().get('blobs/sha256/ab/none').catch((error) => error)
  assert.ok(isStorageError(failure, 'not-found'), 'an error of one door is known at another')
  const folder = await mkdtemp('blobs-')
  const files = filesystemStorage({ directory: folder })
  await files.ready?.()
  assert.ok(isStorageError(await files.get('blobs/sha256/ab/none').catch((error) => error), 'not-found'))
  await rm(folder, { recursive: true })
  assert.ok(isLibraryError(await library.accounts.createToken({ user: 'nobody' }).catch((error) => error), 'not-found'))
  assert.ok(isLibraryError(new LibraryError('refused'), 'refused'))
  const store = sqliteMetadata({ file: ':memory:' })
  await store.ready()
  await store.close()
  assert.ok(isMetadataError(await store.ready().then(() => store.accounts.listUsers()).catch((error) => error)), 'a metadata error is known')

  const s3 = s3Storage({ bucket: 'bucket', endpoint: 'http://127.0.0.1:9', region: 'us-east-1' })
  assert.equal(s3.name, 's3')
  assert.equal(typeof postgresMetadata, 'function')
  assert.equal(typeof describeStorageBackend, 'function')
  await s3.close?.()
  await library.close()
  console.log('all doors open')
}
`

const doors: readonly (readonly [string, string])[] = [
  ['sif-library', 'createLibrary, isLibraryError, LibraryError'],
  ['sif-library/express', 'libraryMiddleware'],
  ['sif-library/koa', 'libraryMiddleware AS koa'],
  ['sif-library/fastify', 'libraryPlugin'],
  ['sif-library/node', 'libraryListener'],
  ['sif-library/fetch', 'libraryFetch'],
  ['sif-library/storage', 'isStorageError'],
  ['sif-library/storage/memory', 'memoryStorage'],
  ['sif-library/storage/filesystem', 'filesystemStorage'],
  ['sif-library/storage/s3', 's3Storage'],
  ['sif-library/metadata', 'isMetadataError'],
  ['sif-library/metadata/sqlite', 'sqliteMetadata'],
  ['sif-library/metadata/postgres', 'postgresMetadata'],
  ['sif-library/testing', 'describeStorageBackend'],
]
const names = doors.map(([, each]) => each.replace(/\w+ AS /, '')).join(', ')
const esm = doors.map(([door, each]) => `import { ${each.replace('AS', 'as')} } from '${door}'`).join('\n')
const cjs = doors.map(([door, each]) => `const { ${each.replace(' AS', ':')} } = require('${door}')`).join('\n')

/** Everything that a consumer writes down with types. */
const typed = `
const storage: StorageBackend = memoryStorage()
const metadata: MetadataStore = sqliteMetadata({ file: ':memory:' })
const auth: AuthHooks = ownerPolicy({ authenticate: (request: LibraryRequest): Principal | null => (bearerToken(request) === null ? null : { id: '1', name: 'a', groups: ['g'] }) })
const options: LibraryOptions = { publicUrl: 'https://portal.example/library', storage, metadata, auth, hooks: { beforePublish: ({ size }) => { if (size > 1) throw new LibraryError('refused', 'no') } }, on: { 'image.published': (event) => void event.path } }
const library: Library = createLibrary(options)
createServer(libraryListener(library, { prefix: '/library' }))
const middleware: (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void = libraryMiddleware(library)
const answer: Promise<Response> = libraryFetch(library, { fallback: true })(new Request('http://x/'))
const app = fastify()
void app.register(libraryPlugin, { library, prefix: '/library' })
new Koa().use(koa(library, { prefix: '/library' }))
express().use('/library', libraryMiddleware(library))
connect().use('/library', libraryMiddleware(library))
const error: unknown = new Error()
if (isStorageError(error, 'not-found')) void error.key
if (isLibraryError(error)) void error.code.length
filesystemStorage({ directory: 'x' })
s3Storage({ bucket: 'b', region: 'us-east-1' })
postgresMetadata({ url: 'postgres://x' })
describeStorageBackend({ describe: () => {}, test: () => {} }, { name: 'mine', create: () => ({ backend: storage }) })
export { answer, middleware }
`
const typedImports = [
  ...doors.map(([door, each]) => `import { ${each.replace('AS', 'as')} } from '${door}'`),
  "import { bearerToken, ownerPolicy, type AuthHooks, type Library, type LibraryOptions, type LibraryRequest, type Principal } from 'sif-library'",
  "import type { StorageBackend } from 'sif-library/storage'",
  "import type { MetadataStore } from 'sif-library/metadata'",
  "import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'",
  "import { fastify } from 'fastify'",
  "import Koa from 'koa'",
  "import express from 'express'",
  "import connect from 'connect'",
].join('\n')

let packed: Packed

beforeAll(async () => {
  packed = await pack()
})

describe('installed', () => {
  let consumer: Consumer
  beforeAll(async () => {
    consumer = await install(packed, { linked: peers })
  })

  test.each([
    ['ESM', 'use.mjs', `${esm}\n${use}\nawait use({ ${names} })`],
    [
      'CJS',
      'use.cjs',
      `${cjs}\n${use}\nuse({ ${names} }).catch((error) => { console.error(error); process.exitCode = 1 })`,
    ],
  ])('every door is used from %s', async (_, file, text) => {
    await consumer.write(file, text)
    expect(await runOk(process.execPath, { args: [file], cwd: consumer.folder })).toContain('all doors open')
  })

  test('errors are known across module systems', async () => {
    const text = `const { isLibraryError } = require('sif-library')
      import('sif-library').then(({ LibraryError }) => console.log(isLibraryError(new LibraryError('gone'), 'gone')))`
    await consumer.write('across.cjs', text)
    expect((await runOk(process.execPath, { args: ['across.cjs'], cwd: consumer.folder })).trim()).toBe('true')
  })

  test('a missing peer is told by its name', async () => {
    const bare = await install(packed, { linked: [] })
    await bare.write(
      'bare.mjs',
      "import { postgresMetadata } from 'sif-library/metadata/postgres'\nawait postgresMetadata({ url: 'postgres://127.0.0.1:9/x' }).ready()",
    )
    const { code, stderr } = await run(process.execPath, { args: ['bare.mjs'], cwd: bare.folder })
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/npm install pg|install.*\bpg\b/)
  })

  test('brings zod and nothing else', async () => {
    const bare = await install(packed, { linked: [] })
    const names = (await readdir(join(bare.folder, 'node_modules'))).filter((name) => !name.startsWith('.'))
    expect(names.sort()).toEqual(['sif-library', 'zod'])
    const output = await runOk(process.execPath, {
      args: ['node_modules/sif-library/dist/cli/main.js', 'serve', '--help'],
      cwd: bare.folder,
    })
    expect(output).toContain('--port')
  })

  test('the command answers', async () => {
    const output = await runOk(process.execPath, {
      args: ['node_modules/sif-library/dist/cli/main.js', '--help'],
      cwd: consumer.folder,
    })
    expect(output).toContain('serve')
  })
})

describe('types', () => {
  const types = ['@types/node', '@types/koa', '@types/express', '@types/connect']

  async function compile(consumer: Consumer, tsc: string): Promise<string> {
    for (const [file, module, moduleResolution] of [
      ['esm.mts', 'node16', 'node16'],
      ['cjs.cts', 'node16', 'node16'],
      ['bundled.ts', 'esnext', 'bundler'],
      // subpaths by typesVersions
      ['old.ts', 'commonjs', 'node10'],
    ] as const) {
      await consumer.write(file, `${typedImports}\n${typed}`)
      const config = {
        strict: true,
        noEmit: true,
        target: 'es2022',
        lib: ['es2023'],
        types: ['node'],
        module,
        moduleResolution,
        esModuleInterop: true,
        skipLibCheck: true,
      }
      await consumer.write(
        'tsconfig.json',
        JSON.stringify({ compilerOptions: { ...config, preserveSymlinks: false }, files: [file] }),
      )
      const { code, stdout } = await run(process.execPath, { args: [tsc, '-p', 'tsconfig.json'], cwd: consumer.folder })
      if (code !== 0) return `${file}: ${stdout}`
    }
    return ''
  }

  test('compile with the newest TypeScript that is supported', async () => {
    const consumer = await install(packed, { linked: [...peers, ...types] })
    expect(await compile(consumer, join(PACKAGE, 'node_modules/typescript/bin/tsc'))).toBe('')
  })

  test('compile with TypeScript 5.4', async () => {
    const consumer = await install(packed, { linked: [...peers, ...types], packages: ['typescript@5.4.5'] })
    expect(await compile(consumer, join(consumer.folder, 'node_modules/typescript/bin/tsc'))).toBe('')
  })
})
