/** A whole registry in this process, asked without a socket. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  eventNames,
  type LibraryEventName,
  type LibraryEvents,
  type LibraryListeners,
} from '../../src/core/hooks/hooks.js'
import {
  createLibrary,
  type Library,
  type LibraryOptions,
  type LibraryRequest,
  type LibraryResponse,
  type Logger,
} from '../../src/core/index.js'
import type { StorageBackend } from '../../src/storage/blob/contract.js'
import { filesystemStorage } from '../../src/storage/blob/filesystem/index.js'
import { memoryStorage } from '../../src/storage/blob/memory.js'
import type { MetadataStore } from '../../src/storage/metadata/contract.js'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite/index.js'

/** Alice and Bob own the entities of their names, Bob is in the group `lab`, Mallory is a stranger to both. */
export type TestUser = 'alice' | 'bob' | 'mallory' | 'admin'

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly facts: object
  readonly message: string | undefined
}

export interface TestRegistryOptions {
  /** Default `memory`. `filesystem` lives in a temporary folder that `close` removes. */
  readonly storage?: 'memory' | 'filesystem' | StorageBackend
  /** Default: SQLite in memory. */
  readonly metadata?: MetadataStore
  /** Anything else of `createLibrary`. */
  readonly library?: Omit<Partial<LibraryOptions>, 'storage' | 'metadata' | 'on'>
}

export interface CallOptions {
  /** A user of the registry, or any other text as it is; absent = anonymous. */
  readonly token?: TestUser | (string & {})
  /** An object is sent as JSON, a string and bytes as they are; always as a stream, without a Content-Type. */
  readonly body?: object | string | Uint8Array
  readonly headers?: LibraryRequest['headers']
  readonly signal?: AbortSignal
  /** Whatever else the request should be, such as another kind of body. */
  readonly request?: Partial<LibraryRequest>
}

export interface Answer {
  readonly status: number
  readonly headers: LibraryResponse['headers']
  readonly bytes: Buffer
  readonly text: string
  /** The body as JSON; throws when it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests reach into answers of any shape
  readonly json: any
}

export interface RecordedEvent<Name extends LibraryEventName = LibraryEventName> {
  readonly name: Name
  readonly event: LibraryEvents[Name]
}

export interface TestRegistry {
  readonly library: Library
  readonly storage: StorageBackend
  readonly metadata: MetadataStore
  readonly publicUrl: string
  /** Tokens of the users. */
  readonly tokens: Readonly<Record<TestUser, string>>
  readonly logs: LogLine[]
  readonly events: RecordedEvent[]
  /** Moves the registry's clock forward. */
  advance(milliseconds: number): void
  now(): number
  /** One request through `library.handle`. `path` may have a query, and may be an absolute URL below the public one. Throws when the path is not the registry's. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
  close(): Promise<void>
}

export const TEST_SECRET = 'a secret of the tests, forty characters long'

const users: readonly TestUser[] = ['alice', 'bob', 'mallory', 'admin']
function recordLogs(lines: LogLine[]): Logger {
  const at =
    (level: LogLine['level']) =>
    (facts: object, message?: string): void => {
      lines.push({ level, facts, message })
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** All but `request.completed`, which every call would add. */
function recordEvents(events: RecordedEvent[]): LibraryListeners {
  const names = eventNames.filter((name) => name !== 'request.completed')
  return Object.fromEntries(names.map((name) => [name, (event: never) => void events.push({ name, event })]))
}

/** Yields bytes in pieces, as a socket would. */
export async function* streamOf(bytes: Uint8Array, pieceBytes = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

/** The body of a request as a stream with its length. */
export function bodyOf(body: CallOptions['body']): LibraryRequest['body'] {
  if (body === undefined) return { kind: 'none' }
  const bytes = body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  return { kind: 'stream', stream: streamOf(bytes), length: bytes.length }
}

/** Reads a response to its end. */
export async function readAnswer(response: LibraryResponse): Promise<Answer> {
  const { body } = response
  const chunks: Uint8Array[] = []
  if (typeof body === 'string') chunks.push(Buffer.from(body))
  else if (body instanceof Uint8Array) chunks.push(body)
  else if (body !== null) for await (const chunk of body) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  const text = bytes.toString()
  return {
    status: response.status,
    headers: response.headers,
    bytes,
    text,
    get json() {
      return JSON.parse(text)
    },
  }
}

/** Makes a registry with four users and their tokens. Call `close` when done. */
export async function createTestRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const { storage: wanted = 'memory' } = options
  const directory = wanted === 'filesystem' ? await mkdtemp(join(tmpdir(), 'sif-library-test-')) : undefined
  const storage =
    typeof wanted === 'object' ? wanted : directory === undefined ? memoryStorage() : filesystemStorage({ directory })
  const metadata = options.metadata ?? sqliteMetadata({ file: ':memory:' })
  const logs: LogLine[] = []
  const events: RecordedEvent[] = []
  let offset = 0
  const now = (): number => Date.now() + offset
  const publicUrl = 'https://reg.example/library'
  const library = createLibrary({
    publicUrl,
    secret: TEST_SECRET,
    clock: now,
    logger: recordLogs(logs),
    ...options.library,
    storage,
    metadata,
    on: recordEvents(events),
  })
  await library.ready()
  const tokens: Partial<Record<TestUser, string>> = {}
  for (const name of users) {
    // over a store that reindex filled, their entities are there already
    const user = { name, admin: name === 'admin', groups: name === 'bob' ? ['lab'] : [] }
    await library.accounts.addUser({ ...user, takeOver: true })
    tokens[name] = (await library.accounts.createToken({ user: name })).token
  }
  // those of its own making
  events.splice(0)
  const tokenOf = (token: string): string => (tokens as Record<string, string | undefined>)[token] ?? token

  return {
    library,
    storage,
    metadata,
    publicUrl,
    tokens: tokens as Record<TestUser, string>,
    logs,
    events,
    advance: (milliseconds) => {
      offset += milliseconds
    },
    now,
    call: async (method, path, { token, body, headers = {}, signal, request } = {}) => {
      const local = path.startsWith(publicUrl) ? path.slice(publicUrl.length) : path
      const mark = local.indexOf('?')
      const response = await library.handle({
        method,
        path: mark < 0 ? local : local.slice(0, mark),
        query: mark < 0 ? '' : local.slice(mark + 1),
        headers: { ...(token === undefined ? {} : { authorization: `Bearer ${tokenOf(token)}` }), ...headers },
        body: bodyOf(body),
        ...(signal === undefined ? {} : { signal }),
        ...request,
      })
      if (response === undefined) throw new Error(`${method} ${path}: the registry says that this path is not its own`)
      return readAnswer(response)
    },
    close: async () => {
      await library.close()
      if (directory !== undefined) await rm(directory, { recursive: true, force: true })
    },
  }
}
