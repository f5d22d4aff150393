/** schemathesis reads the OpenAPI document and asks every row: no 5xx, and each answer is one that the document declares. Signed in and anonymous, with made-up names and with real ones. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FuzzServer, startFuzzServer } from '../../scripts/fuzz-server.mjs'
import { routes } from '../../src/core/routes.js'
import { seed, timeout } from './settings.js'

const script = fileURLToPath(new URL('../../scripts/schemathesis.sh', import.meta.url))
const required = process.env.SIF_LIBRARY_TEST_REQUIRE_ALL === '1'
const installed = (): boolean =>
  existsSync(fileURLToPath(new URL('../../.cache/schemathesis/bin/schemathesis', import.meta.url)))

interface Ran {
  readonly code: number | null
  readonly output: string
}

function run(args: readonly string[]): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn('sh', [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
  })
}

let server: FuzzServer | undefined
let token = ''
let folder = ''
let config = ''

/** Real names and ids for the parameters, so that requests get past the 404s. */
async function prepare({ url }: FuzzServer): Promise<string> {
  const ask = async (
    method: string,
    path: string,
    body?: object | Uint8Array,
  ): Promise<{ id: string; uploadURL: string }> => {
    const sent =
      body === undefined
        ? {}
        : { body: body instanceof Uint8Array ? (body as unknown as string) : JSON.stringify(body) }
    const response = await fetch(url + path, { method, headers: { authorization: `Bearer ${token}` }, ...sent })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? { id: '', uploadURL: '' } : JSON.parse(text).data
  }
  const bytes = Buffer.alloc(2000, 'schema')
  const hash = `sha256.${createHash('sha256').update(bytes).digest('hex')}`
  // the entity of short references, so that a reference is one segment
  const entity = (await ask('POST', '/v1/entities', { name: 'library' })).id
  const collection = (await ask('POST', '/v1/collections', { name: 'default', entity })).id
  const container = (await ask('POST', '/v1/containers', { name: 'thing', collection })).id
  const image = (await ask('POST', '/v1/images', { hash, container })).id
  await ask('POST', `/v1/imagefile/${image}`, bytes)
  for (const Tag of ['v1', 'gone']) await ask('POST', `/v2/tags/${container}`, { Tag, Arch: 'amd64', ImageID: image })
  const pending = (await ask('POST', '/v1/images', { hash: `sha256.${'0'.repeat(64)}`, container })).id
  const upload = (await ask('POST', `/v2/imagefile/${pending}`, { filesize: 2000 })).uploadURL
  const pull = (await fetch(`${url}/v1/imagefile/thing:v1`, { redirect: 'manual' })).headers.get('location') ?? ''
  const common = {
    entity: 'library',
    collection: 'default',
    container: 'thing',
    containerId: container,
    imageId: pending,
    ref: 'thing:v1',
  }
  const table = (values: object): string =>
    `{ ${Object.entries(values)
      .map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
      .join(', ')} }`
  const operation = (name: string, values: object): string =>
    `[[operations]]\ninclude-operation-id = ${JSON.stringify(name)}\nparameters = ${table(values)}\n`
  return [
    `parameters = ${table(common)}\n`,
    // the first one removes the tag, and the image stays for the others
    operation('images.delete', { ref: 'thing:gone' }),
    operation('uploads.direct', { ref: pending }),
    operation('transfers.get', { capability: pull.split('/').at(-1) }),
    operation('transfers.put', { capability: upload.split('/').at(-1) }),
    operation('search', { value: 'thing' }),
  ].join('\n')
}

beforeAll(async () => {
  if (!installed() && required) await run(['--install'])
  if (!installed()) return
  server = await startFuzzServer()
  token = await server.ask('token', 'library')
  folder = await mkdtemp(join(tmpdir(), 'sif-library-schemathesis-'))
  config = join(folder, 'schemathesis.toml')
  await writeFile(config, await prepare(server))
}, 300_000)
afterAll(async () => {
  await server?.stop()
  if (folder !== '') await rm(folder, { recursive: true, force: true })
})

const everyWay = [
  ['anonymous, made-up names', false, false],
  ['signed in, made-up names', true, false],
  ['anonymous, real names', false, true],
  ['signed in, real names', true, true],
] as const

// half a minute each: the oldest Node goes every way, the others the one that reaches most
test.each(process.versions.node.startsWith('20.') ? everyWay : everyWay.slice(3))(
  '%s',
  { timeout: timeout(300_000) },
  async (_name, signedIn, realNames) => {
    if (server === undefined) {
      console.warn(
        'SKIPPED schemathesis: it is not installed; scripts/schemathesis.sh --install does that (Python 3.10 or newer with pip)',
      )
      expect(required, 'SIF_LIBRARY_TEST_REQUIRE_ALL=1, but schemathesis could not be installed').toBe(false)
      return
    }
    const examples = Math.ceil(10 * timeout(1))
    const { code, output } = await run([
      server.url,
      signedIn ? token : '',
      String(Math.min(examples, 1000)),
      String(seed),
      realNames ? config : '',
    ])
    const failures = output.search(/=== (FAILURES|ERRORS)/)
    const summary = failures < 0 ? output.slice(-6000) : output.slice(failures).slice(0, 6000)
    expect(code, summary).toBe(0)
    // all but the row of the document itself, which it reads first; those of the API too
    const { paths } = (await (await fetch(`${server.url}/openapi.json`)).json()) as { paths: Record<string, object> }
    const operations = Object.values(paths).reduce((sum, path) => sum + Object.keys(path).length, 0)
    expect(operations).toBeGreaterThan(routes.length + 40)
    expect(output).toMatch(new RegExp(`Tested: +${operations - 1}\\b`))
    expect(Number(/(\d+) generated/.exec(output)?.[1])).toBeGreaterThan(400)
    expect((await server.ask('state')).errors).toEqual([])
  },
)
