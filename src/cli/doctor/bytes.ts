/** Checks of any storage: a probe is written, read, listed and deleted. */
import { createHash, randomBytes } from 'node:crypto'
import type { StorageBackend } from 'sif-library/storage'
import { codeOf, explain } from './explanations.js'
import type { Finding, Findings } from './finding.js'

export interface Probe {
  readonly key: string
  readonly bytes: Uint8Array
  readonly size: number
  readonly sha256: string
}

/**
 * Random bytes under a key as images have: upload URLs write nowhere else, and a sweep finds what a
 * crash leaves.
 */
export function makeProbe(): Probe {
  const bytes = randomBytes(4096)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return {
    key: `blobs/sha256/${sha256.slice(0, 2)}/${sha256}/doctor-${randomBytes(6).toString('hex')}`,
    bytes,
    size: bytes.length,
    sha256,
  }
}

export async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

export function failed(check: string, error: unknown): Finding {
  return {
    check,
    state: 'failed',
    found: error instanceof Error ? error.message : String(error),
    ...explain(codeOf(error)),
  }
}

async function readWhole(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Ends with true when the storage works. */
export async function* checkStorage(storage: StorageBackend): AsyncGenerator<Finding, boolean, undefined> {
  const name = `storage (${storage.name})`
  let check = `${name}: prepare`
  const { key, bytes, size, sha256 } = makeProbe()
  try {
    await storage.ready?.()
    const checked = await storage.check?.()
    yield { check, state: checked?.ok === false ? 'failed' : 'ok', found: checked?.message ?? 'done' }
    if (checked?.ok === false) return false
    check = `${name}: write, read, list and delete a probe`
    await storage.put(key, chunksOf(bytes), { size, sha256 })
    try {
      const part = await readWhole((await storage.get(key, { range: { start: 100, end: 199 } })).body)
      const found: string[] = []
      for await (const item of storage.list(key)) found.push(item.key)
      const good =
        part.equals(bytes.subarray(100, 200)) && found.includes(key) && (await storage.stat(key))?.size === size
      yield {
        check,
        state: good ? 'ok' : 'failed',
        found: good ? 'all as written' : 'it does not read back as it was written',
      }
      return good
    } finally {
      await storage.delete(key)
    }
  } catch (error) {
    yield { fix: 'correct --storage', ...failed(check, error) }
    return false
  }
}

/** Uploads that should have been swept. */
export async function* checkLeftovers(storage: StorageBackend, uploadSeconds: number): Findings {
  if (storage.multipart === undefined) return
  const check = 'unfinished uploads'
  try {
    let old = 0
    // a day longer than serve leaves them: its sweep comes once an hour
    const before = Date.now() - (uploadSeconds + 86_400) * 1000
    for await (const { createdAt } of storage.multipart.listUploads()) if (createdAt.getTime() < before) old += 1
    yield old === 0
      ? { check, state: 'ok', found: 'none older than the upload time' }
      : {
          check,
          state: 'warning',
          found: `${old} are older than the upload time`,
          cause: 'serve runs with --no-sweep, or did not run',
          fix: 'sif-library sweep',
        }
  } catch (error) {
    yield failed(check, error)
  }
}
