import { createHash } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { type FileHandle, lstat, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { BlobContent, ByteRange, ByteStream, PutOptions, StorageBackend, StorageLimits } from '../contract.js'
import { readBody, resolveRange, throwIfAborted } from '../streams.js'
import { makeMultipartContext } from './context.js'
import { failure, guarded, isAbsent, NAME, systemCode, toStorageError } from './errors.js'
import { bytesIn, keyPath, makeLayout, removeTemporary, temporaryPath } from './layout.js'
import { listFiles } from './list.js'
import { checkFolders, prepareFolders, sweepTemporary } from './maintenance.js'
import { filesystemMultipart } from './multipart.js'
import type { Durability } from './publication.js'
import { publishFile, removeEmptyFolders } from './publish.js'
import { readOpenFile } from './read.js'
import { writeBody } from './write.js'

export interface FilesystemStorageOptions {
  /**
   * Folder of the blobs; created with mode 0700. Several processes of one machine may share it.
   * Without hard links (exFAT, SMB, a mount below the folder) blobs are published by renames; a
   * file system where neither works is found by `ready`, which throws then.
   */
  readonly directory: string
  /**
   * `full` (default): a `put` or `complete` that resolved survives a power failure (fdatasync of
   * the file, fsync of its folders). `none`: it survives the end of the process only. Parts of an
   * unfinished upload are never synced: what a power failure does to them is found at `complete`.
   */
  readonly durability?: Durability
  /**
   * Bytes of one read or write at the most. A transfer holds two such buffers while it is fast, and
   * two of 64 KiB while it is slow. Default 1 MiB; smaller ones cost throughput.
   */
  readonly bufferBytes?: number
}

const MIB = 1024 ** 2
const TIB = 1024 ** 4

const LIMITS: StorageLimits = { minPartSize: 1, maxPartSize: TIB, maxParts: 10_000, maxPutSize: 5 * TIB }

interface FilesystemContext {
  readonly layout: ReturnType<typeof makeLayout>
  readonly durability: Durability
  readonly bufferBytes: number
}

/**
 * Keeps blobs in a folder: a file per key, hard-linked into place once its bytes are proven, so a
 * key is never seen unfinished and never overwritten. Files have mode 0600, folders 0700. The
 * layout is drawn in `filesystem/layout.ts`.
 */
export function filesystemStorage(options: FilesystemStorageOptions): StorageBackend {
  const context: FilesystemContext = {
    layout: makeLayout(options.directory),
    durability: options.durability ?? 'full',
    bufferBytes: options.bufferBytes ?? MIB,
  }
  const { layout } = context
  const multipart = makeMultipartContext({ ...context, limits: LIMITS })
  return {
    name: NAME,
    limits: LIMITS,
    ready: () => guarded(undefined, () => prepareFolders(layout)),
    put: (key, body, put) => guarded(key, () => putFile(context, { key, body, put })),
    get: (key, get = {}) => guarded(key, () => getFile(context, { key, ...get })),
    stat: (key) =>
      guarded(key, async () => {
        const stat = await lstatBlob(keyPath(layout, key))
        return stat && { size: stat.size, modifiedAt: stat.mtime }
      }),
    delete: (key) => guarded(key, () => deleteFile(context, key)),
    async *list(prefix) {
      try {
        yield* listFiles(layout.keys, prefix)
      } catch (error) {
        throw toStorageError(error)
      }
    },
    multipart: filesystemMultipart(multipart),
    sweepTemporary: (olderThan) => guarded(undefined, () => sweepTemporary(layout, olderThan)),
    check: () => checkFolders(layout),
    async close() {
      multipart.digests.clear()
    },
  }
}

async function putFile(
  { layout, durability, bufferBytes }: FilesystemContext,
  options: { readonly key: string; readonly body: ByteStream; readonly put: PutOptions },
): Promise<void> {
  const { key, body, put } = options
  const target = keyPath(layout, key)
  throwIfAborted(put.signal, { backend: NAME, key })
  if (put.size > LIMITS.maxPutSize)
    throw failure('unsupported', `more than ${LIMITS.maxPutSize} bytes in one put`, { key })
  // Publishing decides in the end; this spares the bytes.
  if ((await lstatBlob(target)) !== undefined) throw failure('exists', 'the key is taken', { key })
  const source = temporaryPath(layout)
  try {
    const file = await open(source, 'wx', 0o600)
    try {
      const hash = createHash('sha256')
      await writeBody(readBody(body, { backend: NAME, key, size: put.size, signal: put.signal }), file, {
        position: 0,
        size: put.size,
        bufferBytes,
        hashes: [hash],
      })
      if (hash.digest('hex') !== put.sha256) throw failure('digest-mismatch', 'other bytes than announced', { key })
      if (durability === 'full') await file.datasync()
    } finally {
      await file.close()
    }
    await publishFile({ key, source, target, layout, durability })
  } finally {
    await removeTemporary(source)
  }
}

interface GetFileOptions {
  readonly key: string
  readonly range?: ByteRange
  readonly signal?: AbortSignal
}

/** The file is open when this resolves: a delete takes its name, and the read ends whole. */
async function getFile(
  { layout, bufferBytes }: FilesystemContext,
  { key, range, signal }: GetFileOptions,
): Promise<BlobContent> {
  const path = keyPath(layout, key)
  throwIfAborted(signal, { backend: NAME, key })
  const { file, stat } = await openBlob(path, key)
  try {
    const { start, length } = resolveRange(range, { backend: NAME, key, size: stat.size })
    return { length, size: stat.size, body: readOpenFile(file, { key, start, length, bufferBytes, signal }) }
  } catch (error) {
    await file.close()
    throw error
  }
}

interface OpenBlob {
  readonly file: FileHandle
  readonly stat: Stats
}

async function openBlob(path: string, key: string): Promise<OpenBlob> {
  const found = await openIfThere(path, key)
  if (found.stat.isFile()) return found
  await found.file.close()
  const inside = await openIfThere(bytesIn(path), key)
  if (inside.stat.isFile()) return inside
  await inside.file.close()
  throw failure('not-found', 'no such blob', { key })
}

async function openIfThere(path: string, key: string): Promise<OpenBlob> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    // ELOOP: a symbolic link, which this backend never makes.
    if (isAbsent(error) || systemCode(error) === 'ELOOP')
      throw failure('not-found', 'no such blob', { key, cause: error })
    throw error
  }
  try {
    return { file, stat: await file.stat() }
  } catch (error) {
    await file.close()
    throw error
  }
}

interface FoundBlob {
  /** Of the bytes: the path of the key, or a file in the folder there. */
  readonly path: string
  readonly size: number
  readonly mtime: Date
}

/** undefined for what is no blob, too: a folder above keys, a symbolic link. */
async function lstatBlob(path: string): Promise<FoundBlob | undefined> {
  const stat = await lstatIfThere(path)
  if (stat?.isFile() === true) return { path, size: stat.size, mtime: stat.mtime }
  if (stat?.isDirectory() !== true) return undefined
  const inside = await lstatIfThere(bytesIn(path))
  return inside?.isFile() === true ? { path: bytesIn(path), size: inside.size, mtime: inside.mtime } : undefined
}

async function lstatIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path)
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

async function deleteFile({ layout }: FilesystemContext, key: string): Promise<void> {
  const found = await lstatBlob(keyPath(layout, key))
  if (found === undefined) return
  try {
    await unlink(found.path)
  } catch (error) {
    if (!isAbsent(error)) throw error
  }
  await removeEmptyFolders(dirname(found.path), layout.keys)
}
