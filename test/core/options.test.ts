import { describe, expect, it } from 'vitest'
import type { LibraryOptions } from '../../src/core/index.js'
import { resolveOptions } from '../../src/core/options.js'
import { memoryStorage } from '../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite/index.js'

const storage = memoryStorage()
const metadata = sqliteMetadata({ file: ':memory:' })
const resolve = (options: Partial<LibraryOptions> = {}) =>
  resolveOptions({ publicUrl: 'https://reg.example/library', storage, metadata, ...options })
const request = {
  method: 'GET',
  path: '/',
  query: '',
  headers: { 'x-name': 'b.example' },
  body: { kind: 'none' },
} as const

describe('defaults', () => {
  it('are those of the documentation', () => {
    expect(resolve()).toMatchObject({
      transfer: 'auto',
      multipart: true,
      defaultPrivate: false,
      requireSif: false,
      defaultEntity: 'library',
      defaultCollection: 'default',
      defaultArch: 'amd64',
      limits: {
        maxJsonBytes: 2_097_152,
        partBytes: 67_108_864,
        presignSeconds: 86_400,
        pullSeconds: 3600,
        uploadSeconds: 86_400,
        idleSeconds: 60,
        pullIdleSeconds: 3600,
        maxEntityBytes: 0,
      },
    })
  })

  it('take no more than the storage does', () => {
    const { maxPutSize } = storage.limits
    expect(resolve().limits.maxImageBytes).toBe(5 * 1024 ** 4)
    const { multipart: _, ...single } = storage
    expect(resolve({ storage: single }).limits.maxImageBytes).toBe(maxPutSize)
    expect(resolve({ limits: { maxImageBytes: 10 } }).limits.maxImageBytes).toBe(10)
  })

  it('make ids of 24 hex digits', () => {
    const { generateId } = resolve()
    expect(generateId()).toMatch(/^[0-9a-f]{24}$/)
    expect(generateId()).not.toBe(generateId())
  })
})

describe('publicUrl', () => {
  it('loses its trailing slashes, as text and as a function', () => {
    expect(resolve({ publicUrl: 'https://a.example/x//' }).publicUrl(request)).toBe('https://a.example/x')
    expect(resolve({ publicUrl: ({ headers }) => `https://${headers['x-name']}/` }).publicUrl(request)).toBe(
      'https://b.example',
    )
  })

  it.each([
    '',
    '/library',
    'reg.example',
    'ftp://x',
    'https://',
    'https://a b',
    'https://x?y',
    'https://x#y',
    'javascript:alert(1)',
  ])('refuses %j', (publicUrl) => {
    expect(() => resolve({ publicUrl })).toThrow(TypeError)
  })
})

describe('what cannot work', () => {
  it.each([
    [{ secret: '' }, /secret/],
    [{ keyserver: 'keys.example' }, /keyserver/],
    [{ limits: { maxImageBytes: 0 } }, /maxImageBytes/],
    [{ limits: { maxJsonBytes: -1 } }, /maxJsonBytes/],
    [{ limits: { partBytes: 1.5 } }, /partBytes/],
    [{ limits: { presignSeconds: Number.NaN } }, /presignSeconds/],
    [{ limits: { idleSeconds: Number.POSITIVE_INFINITY } }, /idleSeconds/],
    [{ limits: { pullIdleSeconds: 0 } }, /pullIdleSeconds/],
    [{ limits: { pullIdleSeconds: 2_147_484 } }, /pullIdleSeconds/],
    [{ limits: { maxEntityBytes: -1 } }, /maxEntityBytes/],
  ] as const)('%j', (options, words) => {
    expect(() => resolve(options)).toThrow(words)
  })

  it('a short secret is a warning that does not show it', () => {
    const lines: unknown[] = []
    const log = (...line: unknown[]): void => void lines.push(line)
    resolve({ secret: 'short-secret', logger: { debug: log, info: log, warn: log, error: log } })
    expect(lines).toHaveLength(1)
    expect(JSON.stringify(lines)).not.toContain('short-secret')
  })
})
