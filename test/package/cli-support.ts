/** The built command line, run as a process, and a small client for what it serves. */
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { CLI } from '../e2e/harness/paths.js'
import { type Finished, type RunOptions, run } from '../e2e/harness/run.js'
import { type ServerProcess, startProcess } from '../e2e/harness/server-process.js'

const cleanups: (() => Promise<unknown>)[] = []

/** What the tests of this file started or made is stopped and removed after each. */
export function cleanUpAfterEach(): void {
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean()
  })
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sif-library-cli-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface CallOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly signal?: RunOptions['signal']
}

/** Runs a command to its end. */
export function command(args: readonly string[], options: CallOptions = {}): Promise<Finished> {
  return run(process.execPath, { args: [CLI, ...args], timeout: 60_000, ...options })
}

/** As `command`, and throws unless it ended with 0. Resolves with its stdout, trimmed. */
export async function succeed(args: readonly string[], options: CallOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await command(args, options)
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`)
  return stdout.trim()
}

/** Starts `serve` on a free port. */
export async function serve(
  data: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const server = await startProcess({ args: [CLI, 'serve', '--data', data, '--port', '0', ...args], env })
  cleanups.push(() => server.kill())
  return server
}

/** Starts a server of a host's own, which prints `listening on URL`. */
export async function startHost(
  file: string,
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
): Promise<ServerProcess> {
  const server = await startProcess({ args: [file], env, ...(cwd === undefined ? {} : { cwd }) })
  cleanups.push(() => server.kill())
  return server
}

// biome-ignore lint/suspicious/noExplicitAny: answers of any shape
export type Json = any

export interface Client {
  /** The status and the `data` of the answer. */
  readonly call: (
    method: string,
    path: string,
    body?: object,
  ) => Promise<{ readonly status: number; readonly data: Json }>
  /** Makes entity, collection, container and image, and starts a single upload: the URL that the bytes go to. */
  readonly startPush: (
    path: string,
    bytes: Uint8Array,
  ) => Promise<{ readonly imageId: string; readonly uploadUrl: string; readonly hash: string }>
  /** Pushes bytes with the tag `latest`. */
  readonly push: (path: string, bytes: Uint8Array) => Promise<string>
  readonly pull: (reference: string) => Promise<{ readonly status: number; readonly bytes: Buffer }>
}

export function clientOf(url: string, token?: string): Client {
  const call: Client['call'] = async (method, path, body) => {
    const response = await fetch(path.startsWith('http') ? path : `${url}${path}`, {
      method,
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const parsed = text === '' ? {} : JSON.parse(text)
    return { status: response.status, data: parsed.data ?? parsed.error }
  }
  const ok = async (method: string, path: string, body?: object): Promise<Json> => {
    const { status, data } = await call(method, path, body)
    if (status >= 300) throw new Error(`${method} ${path.slice(0, 60)} answered ${status}: ${JSON.stringify(data)}`)
    return data
  }
  const startPush: Client['startPush'] = async (path, bytes) => {
    const [entity, collection, container] = path.split('/')
    const hex = createHash('sha256').update(bytes).digest('hex')
    const findOrMake = async (kind: string, where: string, body: object): Promise<string> => {
      const found = await call('GET', `/v1/${kind}/${where}`)
      return (found.status === 404 ? await ok('POST', `/v1/${kind}`, body) : found.data).id
    }
    const entityId = await findOrMake('entities', `${entity}`, { name: entity })
    const collectionId = await findOrMake('collections', `${entity}/${collection}`, {
      name: collection,
      entity: entityId,
    })
    const containerId = await findOrMake('containers', path, { name: container, collection: collectionId })
    const { id: imageId } = await ok('POST', '/v1/images', { hash: `sha256.${hex}`, container: containerId })
    const { uploadURL } = await ok('POST', `/v2/imagefile/${imageId}`, { filesize: bytes.length, sha256sum: hex })
    return { imageId, uploadUrl: uploadURL, hash: `sha256.${hex}` }
  }
  return {
    call,
    startPush,
    push: async (path, bytes) => {
      const { imageId, uploadUrl, hash } = await startPush(path, bytes)
      // as the real clients: only where the signature asks for it
      const bound =
        new URL(uploadUrl).searchParams.get('X-Amz-SignedHeaders')?.includes('x-amz-content-sha256') === true
      const headers = bound ? { 'x-amz-content-sha256': hash.slice('sha256.'.length) } : undefined
      const stored = await fetch(uploadUrl, {
        method: 'PUT',
        body: bytes as Uint8Array<ArrayBuffer>,
        ...(headers && { headers }),
      })
      if (stored.status !== 200) throw new Error(`the upload answered ${stored.status}`)
      await ok('PUT', `/v2/imagefile/${imageId}/_complete`, {})
      const { data: image } = await call('GET', `/v1/images/${path}:${hash}`)
      await ok('POST', `/v2/tags/${image.container}`, { tag: 'latest', arch: 'amd64', imageID: imageId })
      return hash
    },
    pull: async (reference) => {
      const response = await fetch(
        `${url}/v1/imagefile/${reference}?arch=amd64`,
        token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
      )
      return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) }
    },
  }
}
