/** docs/auth.md, and libraries to hold it to. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { Library, LibraryOptions, LibraryResponse } from '../../src/core/index.js'
import { createLibrary } from '../../src/core/index.js'
import { memoryStorage } from '../../src/storage/blob/memory.js'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite/index.js'
import { PACKAGE } from '../e2e/harness/paths.js'

export const page: string = readFileSync(join(PACKAGE, 'docs/auth.md'), 'utf8')
/** The code blocks of a language. */
export const snippets = (language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, code]) => code ?? '')
/** The cells of the table that starts with `head`. */
export const rows = (head: string): string[][] => {
  const lines = page.slice(page.indexOf(head)).split('\n\n')[0]?.split('\n').slice(2) ?? []
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

const opened: Library[] = []
afterEach(async () => {
  for (const library of opened.splice(0)) await library.close()
})

/** A library in memory, closed after the test. */
export function open(options: Partial<LibraryOptions> = {}): Library {
  const library = createLibrary({
    publicUrl: 'http://127.0.0.1/library',
    storage: memoryStorage(),
    metadata: sqliteMetadata({ file: ':memory:' }),
    ...options,
  })
  opened.push(library)
  return library
}

export interface Asked {
  readonly token?: string | undefined
  readonly native?: unknown
  readonly body?: object
}

export interface Answered {
  readonly status: number
  readonly message: string
  readonly data: Record<string, string>
}

/** `line` is a method and a path. */
export async function ask(library: Library, line: string, { token, native, body }: Asked = {}): Promise<Answered> {
  const [method = '', target = ''] = line.split(' ')
  const [path = '', query = ''] = target.split('?')
  const answer = (await library.handle({
    method,
    path,
    query,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    body: body === undefined ? { kind: 'none' } : { kind: 'bytes', bytes: Buffer.from(JSON.stringify(body)) },
    native,
  })) as LibraryResponse
  const { data = {}, error = {} } = JSON.parse(String(answer.body ?? '') || '{}') as {
    data?: Record<string, string>
    error?: { message?: string }
  }
  return { status: answer.status, message: error.message ?? '', data }
}

export const makeEntity = (library: Library, name: string, asked: Asked): Promise<Answered> =>
  ask(library, 'POST /v1/entities', { ...asked, body: { name } })
