import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { LibraryRequest } from '../../../src/core/index.js'
import { createLibrary } from '../../../src/core/index.js'
import { libraryUi, type UiOptions } from '../../../src/extensions/ui/index.js'
import type { StorageBackend } from '../../../src/storage/blob/contract.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'

/** A small page in the form of the built one. */
let folder = ''
const script = 'console.log("page")'
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sif-library-page-'))
  const fact = { type: 'text/javascript; charset=utf-8', immutable: true, compressed: true }
  const files = {
    'index-12345678.js': { ...fact, worker: false },
    'hash-worker-12345678.js': { ...fact, worker: true },
    'plain.js': { ...fact, worker: false, immutable: false, compressed: false },
  }
  await writeFile(
    join(folder, 'index.html'),
    '<base href="%sif-library.base%"><title>%sif-library.title%</title><meta content="%sif-library.config%">%unknown%',
  )
  await writeFile(join(folder, 'manifest.json'), JSON.stringify({ files }))
  for (const name of Object.keys(files)) {
    await writeFile(join(folder, name), script)
    await writeFile(join(folder, `${name}.br`), brotliCompressSync(script))
    await writeFile(join(folder, `${name}.gz`), gzipSync(script))
  }
  // there, but not in the manifest
  await writeFile(join(folder, 'secret.js'), 'secret')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

let close: (() => Promise<void>) | undefined
afterEach(async () => {
  await close?.()
  close = undefined
})

interface Given {
  readonly ui?: UiOptions
  readonly publicUrl?: string
  readonly storage?: StorageBackend
  readonly tokenPage?: string
}

function start({ ui = {}, publicUrl = 'https://portal.example/library', storage, tokenPage }: Given = {}) {
  const library = createLibrary({
    publicUrl,
    secret: 'x'.repeat(32),
    storage: storage ?? memoryStorage(),
    metadata: sqliteMetadata({ file: ':memory:' }),
    ...(tokenPage !== undefined && { tokenPage }),
    extensions: [libraryUi({ folder, ...ui })],
  })
  close = () => library.close()
  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') => {
    const request: LibraryRequest = { method, path, query: '', headers, body: { kind: 'none' } }
    return library.handle(request)
  }
  return { library, ask }
}

const browser = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }

describe('paths', () => {
  it.each([
    ...['/ui', '/ui/', '/ui//', '/ui/search', '/ui/upload', '/ui/usage', '/ui/tokens', '/ui/activity', '/ui/admin'],
    ...['/ui/admin/quotas', '/ui/sign-in', '/ui/images/alice', '/ui/images/alice/tools', '/ui/images/alice/tools/bwa'],
    `/ui/images/alice/tools/bwa/sha256:${'a'.repeat(64)}`,
  ])('%s is a view', async (path) => {
    const { ask } = start()
    const answer = await ask(path)
    expect([answer?.status, answer?.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    expect(answer?.body).toContain('<base href="/library/ui/">')
  })

  it.each([
    ...['/ui/nothing', '/ui/secret.js', '/ui/manifest.json', '/ui/index.html', '/ui/images', '/ui/upload/more'],
    ...['/ui/..', '/ui/../v1/x', '/ui/%2e%2e/package.json', '/ui/images/..', '/ui/images/%2e%2e/x', '/ui/a%2fb'],
    ...['/ui/images/alice/tools/bwa/x/y', '/ui/images/%3Cscript%3E', '/ui/admin/..', '/ui/index-12345678.js.br'],
  ])('%s is not found, in the words of each reader', async (path) => {
    const { ask } = start()
    const program = await ask(path)
    expect([program?.status, program?.headers['content-type']]).toEqual([404, 'application/json'])
    const person = await ask(path, browser)
    expect([person?.status, person?.headers['content-type']]).toEqual([404, 'text/html; charset=utf-8'])
    expect(person?.body).not.toContain('script>')
  })

  it('leaves other methods alone, and answers HEAD without a body', async () => {
    const { ask } = start()
    expect((await ask('/ui', {}, 'POST'))?.status).toBe(405)
    const head = await ask('/ui/index-12345678.js', {}, 'HEAD')
    expect([head?.status, head?.body]).toEqual([200, null])
  })
})

describe('the mount itself', () => {
  it('leads browsers to the page', async () => {
    const { ask } = start()
    const answer = await ask('/', browser)
    expect([answer?.status, answer?.headers.location]).toEqual([302, '/library/ui/'])
  })

  it.each([
    [{}, 'GET'],
    [{ accept: '*/*' }, 'GET'],
    [{ accept: 'application/json' }, 'GET'],
    [browser, 'POST'],
    [browser, 'DELETE'],
  ] as const)('is the host’s for %j %s', async (headers, method) => {
    const { ask } = start()
    expect(await ask('/', headers, method)).toBeUndefined()
  })

  it('is the host’s for everybody where the option says so', async () => {
    const { ask } = start({ ui: { home: false } })
    expect(await ask('/', browser)).toBeUndefined()
  })
})

describe('files', () => {
  it('come compressed as the browser takes them, and are kept for ever', async () => {
    const { ask } = start()
    const asked = async (coding: string) => {
      const answer = await ask('/ui/index-12345678.js', { 'accept-encoding': coding })
      return [answer?.headers['content-encoding'], Buffer.from(answer?.body as Uint8Array).length]
    }
    expect(await asked('gzip, deflate, br')).toEqual(['br', brotliCompressSync(script).length])
    expect(await asked('gzip')).toEqual(['gzip', gzipSync(script).length])
    expect(await asked('gzip;q=0, br;q=0.0')).toEqual([undefined, script.length])
    expect(await asked('')).toEqual([undefined, script.length])
    const { headers } = (await ask('/ui/index-12345678.js')) ?? { headers: {} as Record<string, string> }
    expect(headers['cache-control']).toBe('public, max-age=31536000, immutable')
    expect(headers.vary).toBe('accept-encoding')
    expect((await ask('/ui/plain.js', { 'accept-encoding': 'br' }))?.headers['content-encoding']).toBeUndefined()
    expect((await ask('/ui/plain.js'))?.headers['cache-control']).toBe('no-cache')
  })

  it('are not sent again to who has them', async () => {
    const { ask } = start()
    const etag = (await ask('/ui/plain.js'))?.headers.etag ?? ''
    const answer = await ask('/ui/plain.js', { 'if-none-match': `"other", W/${etag}` })
    expect([answer?.status, answer?.body]).toEqual([304, null])
    expect((await ask('/ui/plain.js', { 'if-none-match': '"other"' }))?.status).toBe(200)
  })
})

describe('headers', () => {
  const policy = (store: string, ancestors = "'self'") =>
    `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'${store}; worker-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors ${ancestors}`

  it('are those of a strict page', async () => {
    const { ask } = start()
    expect((await ask('/ui'))?.headers).toMatchObject({
      'content-security-policy': policy(''),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
      'cache-control': 'no-cache',
    })
  })

  it('let a worker alone compile WebAssembly', async () => {
    const { ask } = start()
    const worker = await ask('/ui/hash-worker-12345678.js')
    expect(worker?.headers['content-security-policy']).toBe("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'")
    expect((await ask('/ui/index-12345678.js'))?.headers['content-security-policy']).toBeUndefined()
  })

  it('name the store that browsers meet, and who may frame the page', async () => {
    const presigned = {
      url: 'https://store.example:9000/images/x?X-Amz-Signature=y',
      headers: {},
      expiresAt: new Date(),
    }
    const storage = { ...memoryStorage(), presign: { bindsPayload: true, get: async () => presigned } }
    const { ask, library } = start({ storage, ui: { frameAncestors: ["'self'", 'https://portal.example'] } })
    await library.ready()
    expect((await ask('/ui'))?.headers['content-security-policy']).toBe(
      policy(' https://store.example:9000', "'self' https://portal.example"),
    )
  })
})

describe('the document', () => {
  it('says what the host says, and no markup of it', async () => {
    const { ask } = start({
      publicUrl: 'https://portal.example/a"b',
      ui: { title: '</title><script>alert(1)</script>', theme: 'dark' },
    })
    const { body } = (await ask('/ui')) ?? { body: '' }
    expect(body).not.toContain('<script>')
    expect(body).toContain('&lt;script&gt;')
    expect(body).toContain('<base href="/a%22b/ui/">')
    expect(body).toContain('&quot;theme&quot;:&quot;dark&quot;')
    expect(body).not.toContain('folder')
    expect(body).toContain('%unknown%')
  })

  it('lies at the root where the registry does', async () => {
    const { ask } = start({ publicUrl: 'http://127.0.0.1:8080' })
    expect((await ask('/ui'))?.body).toContain('<base href="/ui/">')
  })
})

describe('pages that clients are told of', () => {
  it('are those of the page', async () => {
    const { ask } = start()
    const answer = await ask('/auth/tokens')
    expect([answer?.status, answer?.headers.location]).toEqual([302, '../ui/tokens'])
  })

  it('are those of the host where it names some', async () => {
    const { ask } = start({ tokenPage: 'https://portal.example/me' })
    expect((await ask('/auth/tokens'))?.headers.location).toBe('https://portal.example/me')
  })
})

describe('options', () => {
  it.each([
    [{ titel: 'x' }, 'titel: no option of libraryUi'],
    [{ theme: 'blue' }, 'theme: must be one of system, light, dark'],
    [{ anonymous: 'all' }, 'anonymous: must be one of browse, none'],
    [{ language: 'fr' }, 'language: must be one of en, de'],
    [{ title: '' }, 'title: must be a text'],
    [{ signIn: {} }, 'signIn: must have an href'],
    [{ links: [{ label: 'x', href: 'javascript:alert(1)' }] }, 'links: "javascript:alert(1)" is no link to a page'],
    [{ frameAncestors: ["*; script-src 'unsafe-inline'"] }, 'frameAncestors: '],
    [{ home: 'no' }, 'home: must be true or false'],
  ])('%j is refused', (options, message) => {
    expect(() => libraryUi(options as UiOptions)).toThrow(message)
  })
})

it('is not found where it was not built, and images are served all the same', async () => {
  const { ask, library } = start({ ui: { folder: join(folder, 'nothing') } })
  await library.ready()
  expect((await ask('/ui'))?.status).toBe(404)
  expect((await ask('/version'))?.status).toBe(200)
})
