/** A registry over a temporary folder and a SQLite file, behind real HTTP on the loopback interface: what the attacks are aimed at. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { createServer, type Server, type ServerOptions } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { libraryListener } from '../../src/adapters/node.js'
import { createLibrary, type Library, type LibraryOptions } from '../../src/core/index.js'
import type { StorageBackend } from '../../src/storage/blob/contract.js'
import { filesystemStorage } from '../../src/storage/blob/filesystem/index.js'
import type { MetadataStore } from '../../src/storage/metadata/contract.js'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite/index.js'
import { loadBetterSqlite, loadNodeSqlite } from '../../src/storage/metadata/sqlite/library.js'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; undefined where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: bodies are looked into by hand, and a wrong shape fails the test anyway
  readonly json: any
}

export interface CallOptions {
  readonly token?: string | undefined
  readonly json?: unknown
  readonly body?: Uint8Array | string
  readonly headers?: Readonly<Record<string, string>>
}

export interface Place {
  readonly entityId: string
  readonly collectionId: string
  readonly containerId: string
}

export interface WorldOptions extends Partial<Omit<LibraryOptions, 'publicUrl' | 'storage' | 'metadata'>> {
  readonly server?: ServerOptions
  /** Wraps or replaces the storage. */
  readonly wrapStorage?: (storage: StorageBackend) => StorageBackend
  readonly wrapMetadata?: (metadata: MetadataStore) => MetadataStore
  /** Use this folder (a second server over the same one); it is then not removed. */
  readonly directory?: string
  /** Default: alice, bob, mallory and the admin root. */
  readonly users?: boolean
}

export class World {
  readonly tokens: Record<string, string> = {}
  /** Milliseconds that the registry's clock runs ahead. */
  ahead = 0

  constructor(
    readonly directory: string,
    readonly library: Library,
    readonly storage: StorageBackend,
    readonly metadata: MetadataStore,
    readonly server: Server,
    readonly owned: boolean,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const headers: Record<string, string> = { ...options.headers }
    if (options.token !== undefined) headers.authorization = `Bearer ${options.token}`
    const body = options.json !== undefined ? JSON.stringify(options.json) : options.body
    const response = await fetch(path.startsWith('http') ? path : this.url + path, {
      method,
      headers,
      redirect: 'manual',
      ...(body === undefined ? {} : { body: body as string }),
    })
    const bytes = Buffer.from(await response.arrayBuffer())
    const text = bytes.toString('latin1')
    return { status: response.status, headers: response.headers, text, json: parse(bytes.toString()) }
  }

  /** Makes entity, collection and container, as a push does. */
  async place(token: string, path: string): Promise<Place> {
    const [entity = '', collection = '', container = ''] = path.split('/')
    const one = async (kind: string, json: object): Promise<string> => {
      const answer = await this.call('POST', `/v1/${kind}`, { token, json })
      if (answer.status !== 200 && answer.status !== 201)
        throw new Error(`POST ${kind}: ${answer.status} ${answer.text}`)
      return answer.json.data.id
    }
    const entityId = await one('entities', { name: entity })
    const collectionId = await one('collections', { name: collection, entity: entityId })
    const containerId = await one('containers', { name: container, collection: collectionId })
    return { entityId, collectionId, containerId }
  }

  async createImage(
    token: string,
    containerId: string,
    bytes: Uint8Array,
  ): Promise<{ readonly id: string; readonly uploaded: boolean }> {
    const answer = await this.call('POST', '/v1/images', {
      token,
      json: { hash: hashOf(bytes), container: containerId },
    })
    if (answer.status !== 200 && answer.status !== 201) throw new Error(`POST images: ${answer.status} ${answer.text}`)
    return { id: answer.json.data.id, uploaded: answer.json.data.uploaded }
  }

  /** The whole single-PUT push of protocol 9.1, with a tag where one is given. */
  async push(
    token: string,
    path: string,
    bytes: Uint8Array,
    tag?: string,
  ): Promise<Place & { readonly imageId: string }> {
    const place = await this.place(token, path)
    const image = await this.createImage(token, place.containerId, bytes)
    if (!image.uploaded) {
      const start = await this.call('POST', `/v2/imagefile/${image.id}`, {
        token,
        json: { filesize: bytes.length, sha256sum: sha256(bytes) },
      })
      expectStatus(start, 200)
      expectStatus(await this.call('PUT', start.json.data.uploadURL, { body: bytes }), 200)
      expectStatus(await this.call('PUT', `/v2/imagefile/${image.id}/_complete`, { token, json: {} }), 200)
    }
    if (tag !== undefined) {
      expectStatus(
        await this.call('POST', `/v2/tags/${place.containerId}`, {
          token,
          json: { Tag: tag, Arch: 'amd64', ImageID: image.id },
        }),
        200,
      )
    }
    return { ...place, imageId: image.id }
  }

  /** What a client that follows the 303 gets; undefined when the registry says no. */
  async pull(reference: string, token?: string): Promise<Buffer | undefined> {
    const answer = await this.call('GET', `/v1/imagefile/${reference}`, { token })
    if (answer.status !== 303) return undefined
    const response = await fetch(answer.headers.get('location') ?? '')
    return response.status === 200 ? Buffer.from(await response.arrayBuffer()) : undefined
  }

  /** Every row that a request can change, and every file of the storage with the hash of its bytes. */
  async dump(): Promise<Record<string, unknown>> {
    const tables = ['entities', 'collections', 'containers', 'images', 'tags', 'uploads', 'blobs', 'users']
    const rows = await readTables(join(this.directory, 'registry.db'), tables)
    return { ...rows, files: await this.files() }
  }

  rows(table: string): Promise<readonly Record<string, unknown>[]> {
    return this.dump().then((dump) => dump[table] as readonly Record<string, unknown>[])
  }

  /** Path below the storage folder → SHA-256; without sidecars, which come when they come. */
  async files(): Promise<Record<string, string>> {
    const root = join(this.directory, 'blobs')
    const found: Record<string, string> = {}
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath ?? entry.path, entry.name)
      if (relative(root, path).startsWith('keys/records/')) continue
      const bytes = await readFile(path).catch(() => undefined)
      if (bytes !== undefined) found[relative(root, path)] = sha256(bytes)
    }
    return found
  }

  /** A socket to the server, for what no well-behaved client sends. */
  connect(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => resolve(socket))
      socket.once('error', reject)
    })
  }

  /** Sends text or bytes and gathers what comes back until the server closes, or until `quietMs` pass without a byte. */
  async raw(
    request: string | Uint8Array,
    options: { readonly quietMs?: number; readonly end?: boolean } = {},
  ): Promise<string> {
    const socket = await this.connect()
    const chunks: Buffer[] = []
    return new Promise((resolve) => {
      const done = (): void => {
        socket.destroy()
        resolve(Buffer.concat(chunks).toString('latin1'))
      }
      socket.setTimeout(options.quietMs ?? 500, done)
      socket.on('data', (chunk) => chunks.push(chunk))
      socket.on('error', done)
      socket.on('close', done)
      socket.write(request)
      if (options.end === true) socket.end()
    })
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
    await this.library.close()
    if (this.owned) await rm(this.directory, { recursive: true, force: true })
  }
}

/** Beside the store, on a connection of its own; by whichever driver this Node has. */
async function readTables(file: string, tables: readonly string[]): Promise<Record<string, unknown[]>> {
  const driver = loadNodeSqlite() ?? (await loadBetterSqlite())
  const connection = driver(file)
  try {
    const rows = (table: string): unknown[] => {
      const columns = connection
        .prepare(`SELECT name FROM pragma_table_info('${table}')`)([])
        .map((row) => row.name as string)
      const selected = connection.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`)([])
      // counts of downloads follow within seconds
      const kept = columns.filter((column) => column !== 'download_count' && column !== 'last_pulled_at')
      return selected.map((row) => Object.fromEntries(kept.map((column) => [column, row[column]])))
    }
    return Object.fromEntries(tables.map((table) => [table, rows(table)]))
  } finally {
    connection.close()
  }
}

export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const { server: serverOptions, wrapStorage, wrapMetadata, directory: given, users, ...rest } = options
  const directory = given ?? (await mkdtemp(join(tmpdir(), 'sif-library-security-')))
  // durability is the business of the backend's own tests; here thousands of writes are made
  const plainStorage = filesystemStorage({ directory: join(directory, 'blobs'), durability: 'none' })
  const storage = wrapStorage?.(plainStorage) ?? plainStorage
  const plainMetadata = sqliteMetadata({ file: join(directory, 'registry.db') })
  const metadata = wrapMetadata?.(plainMetadata) ?? plainMetadata
  let world: World
  const library = createLibrary({
    clock: () => Date.now() + world.ahead,
    ...rest,
    publicUrl: () => world.url,
    storage,
    metadata,
  })
  const server = createServer(serverOptions ?? {}, libraryListener(library))
  world = new World(directory, library, storage, metadata, server, given === undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  await library.ready()
  if (users !== false) {
    for (const name of ['alice', 'bob', 'mallory', 'root']) {
      await library.accounts.addUser({ name, admin: name === 'root' })
      world.tokens[name] = (await library.accounts.createToken({ user: name })).token
    }
  }
  return world
}

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')
export const hashOf = (bytes: Uint8Array): string => `sha256.${sha256(bytes)}`
/** Bytes that no other test has. */
export const someBytes = (length = 1000): Buffer => randomBytes(length)
/** 24 hex digits that name nothing. */
export const noId = 'ffffffffffffffffffffffff'

export function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export function expectStatus(answer: Answer, ...statuses: readonly number[]): Answer {
  if (!statuses.includes(answer.status))
    throw new Error(`status ${answer.status} instead of ${statuses.join(' or ')}: ${answer.text.slice(0, 300)}`)
  return answer
}

/** A refusal with the error envelope of protocol 3.5; `field` must stand in its message. */
export function expectRefusal(answer: Answer, status: number | readonly number[], field?: string | RegExp): void {
  expectStatus(answer, ...(typeof status === 'number' ? [status] : status))
  const error = answer.json?.error
  if (error?.code !== answer.status || typeof error?.message !== 'string' || error.message === '')
    throw new Error(`no error envelope: ${answer.text.slice(0, 300)}`)
  if (!(answer.headers.get('content-type') ?? '').startsWith('application/json'))
    throw new Error(`content-type ${answer.headers.get('content-type')}`)
  if (field !== undefined && !(typeof field === 'string' ? error.message.includes(field) : field.test(error.message))) {
    throw new Error(`the message does not name ${field}: ${error.message}`)
  }
}

/** Open files of this process that lie below a folder (Linux only; elsewhere an empty list). */
export async function openFiles(below: string): Promise<string[]> {
  const { readlink } = await import('node:fs/promises')
  const names = await readdir('/proc/self/fd').catch(() => [])
  const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')))
  return targets.filter((target) => target.startsWith(below))
}

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

/** Waits until the condition holds; throws after `timeoutMs`. */
export async function until(condition: () => Promise<boolean> | boolean, timeoutMs = 5000): Promise<void> {
  const end = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('it did not come to pass')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
