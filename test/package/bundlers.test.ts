/** Every entry point goes through the bundlers that servers are built with, with the documented peers installed and no others. */
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { PACKAGE } from '../e2e/harness/paths.js'
import { runOk } from '../e2e/harness/run.js'
import { type Consumer, install, pack, readJson } from './packed.js'

// of s3Storage and postgresMetadata; sqliteMetadata needs none on a Node that carries SQLite, and the Fastify plugin only types
const peers = ['@aws-sdk/client-s3', '@smithy/protocol-http', '@smithy/signature-v4', 'pg']
const webpackVersion = '5.113.0'

const hasSqlite = process.getBuiltinModule?.('node:sqlite') !== undefined

let consumer: Consumer
let doors: string[]

beforeAll(async () => {
  consumer = await install(await pack(), { linked: peers, packages: [`webpack@${webpackVersion}`] })
  const entries = await readJson<Record<string, string>>('entries.json')
  doors = Object.keys(entries).map((door) => `sif-library${door.slice(1)}`)
  const use = `
    async function main(modules) {
      for (const [name, module] of Object.entries(modules)) assert.ok(Object.keys(module).length > 0, name)
      const { createLibrary } = modules['sif-library']
      const library = createLibrary({
        publicUrl: 'http://x',
        storage: modules['sif-library/storage/memory'].memoryStorage(),
        metadata: modules['sif-library/metadata/sqlite'].sqliteMetadata({ file: ':memory:' }),
      })
      const answer = await modules['sif-library/fetch'].libraryFetch(library)(new Request('http://x/readyz'))
      assert.deepEqual([answer.status, (await answer.json()).metadata], [200, true])
      await library.close()
      // the SDK and the driver are in the bundle: nothing answers there
      const s3 = modules['sif-library/storage/s3'].s3Storage({ bucket: 'images', endpoint: 'http://127.0.0.1:9', region: 'us-east-1',
        credentials: { accessKeyId: 'a', secretAccessKey: 'b' }, maxAttempts: 2 })
      await assert.rejects(s3.stat('blobs/x'), { code: 'unavailable' })
      const signed = await s3.presign.get('blobs/x', { expiresSeconds: 60, filename: 'x' })
      assert.match(signed.url, /X-Amz-Signature=/)
      const postgres = modules['sif-library/metadata/postgres'].postgresMetadata({ url: 'postgres://u:p@127.0.0.1:9/x' })
      await assert.rejects(postgres.ready(), { code: 'unavailable' })
      await Promise.all([s3.close(), postgres.close()])
      console.log('all doors bundled')
    }`
  const names = doors.map((door, index) => [door, `door${index}`] as const)
  const table = `{ ${names.map(([door, name]) => `'${door}': ${name}`).join(', ')} }`
  const run = `main(${table}).catch((error) => { console.error(error); process.exit(1) })`
  const lines = {
    'esm.mjs': [
      "import assert from 'node:assert/strict'",
      ...names.map(([door, name]) => `import * as ${name} from '${door}'`),
    ],
    'cjs.cjs': [
      "const assert = require('node:assert/strict')",
      ...names.map(([door, name]) => `const ${name} = require('${door}')`),
    ],
  }
  for (const [file, imports] of Object.entries(lines)) await consumer.write(file, [...imports, use, run].join('\n'))
})

/** Runs a bundle; on a Node without SQLite the compiled package stands beside it, as no bundle can hold it. */
async function runBundle(file: string): Promise<string> {
  if (!hasSqlite) {
    const link = join(consumer.folder, 'out/node_modules/better-sqlite3')
    await mkdir(join(link, '..'), { recursive: true })
    await symlink(join(PACKAGE, 'node_modules/better-sqlite3'), link).catch(() => {})
  }
  return runOk(process.execPath, { args: [file], cwd: consumer.folder })
}

describe.each(['esm.mjs', 'cjs.cjs'])('%s', (entry) => {
  test('esbuild', async () => {
    const out = `out/esbuild-${entry}.cjs`
    const text = `require(${JSON.stringify(join(PACKAGE, 'node_modules/esbuild'))}).build({ entryPoints: ['${entry}'], bundle: true,
      platform: 'node', target: 'node20', format: 'cjs', outfile: '${out}', logLevel: 'silent' })
      .then(({ warnings }) => console.log(JSON.stringify(warnings.map(({ text }) => text))), (error) => { console.error(error); process.exit(1) })`
    const warnings = await runOk(process.execPath, { args: ['-e', text], cwd: consumer.folder, timeout: 220_000 })
    expect(JSON.parse(warnings)).toEqual([])
    expect(await runBundle(out)).toContain('all doors bundled')
  })

  test('webpack', async () => {
    const out = `webpack-${entry}.cjs`
    const text = `require('webpack')({ mode: 'production', target: 'node20', context: process.cwd(), entry: './${entry}', devtool: false,
      optimization: { minimize: false }, output: { path: process.cwd() + '/out', filename: '${out}', libraryTarget: 'commonjs2' } },
      (error, stats) => { if (error) throw error; const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true, moduleTrace: false })
      console.log(JSON.stringify([errors, warnings].map((list) => list.map(({ message, moduleName }) => moduleName + ': ' + message)))) })`
    const [errors, warnings] = JSON.parse(
      await runOk(process.execPath, { args: ['-e', text], cwd: consumer.folder, timeout: 220_000 }),
    ) as [string[], string[]]
    expect(errors).toEqual([])
    // as CommonJS it has no way to say that better-sqlite3 is left alone on purpose
    const known = entry === 'cjs.cjs' ? [expect.stringMatching(/metadata\/sqlite\.cjs: Critical dependency/)] : []
    expect(warnings.filter((each) => /sif-library/.test(each))).toEqual(known)
    // docs/hosts.md names this one limit
    if (entry === 'cjs.cjs' && !hasSqlite) return
    expect(await runBundle(`out/${out}`)).toContain('all doors bundled')
  })
})
