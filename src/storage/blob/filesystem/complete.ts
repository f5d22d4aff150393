import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { CompleteMultipartOptions, FinishedBlob } from '../contract.js'
import { isStorageError } from '../errors.js'
import { assertParts } from '../parts.js'
import { drain } from '../streams.js'
import type { MultipartContext } from './context.js'
import { failure } from './errors.js'
import { keyPath, removeTemporary, temporaryPath } from './layout.js'
import type { JournalState } from './part-journal.js'
import { publishFile } from './publish.js'
import { readChunks } from './read.js'
import { claimUpload, findUpload, readJournal, releaseUpload } from './upload-folder.js'
import { writeBody } from './write.js'

/**
 * Publishes the data file of an upload under its key. The bytes that are proven are the bytes that
 * are published:
 *
 * 1. the folder is moved away, so nobody opens its files any more, and one `complete` at most goes on;
 * 2. the journal is read after that. A writer puts its `begin` there before its first byte and looks for the folder in between: either its `begin` is seen here,
 *    or the writer finds the folder gone and writes nothing;
 * 3. where the journal knows of a write that may still go on (or whose process died), a copy is made, proven and published instead of the file that a late
 *    writer may hold open. It is the only case in which bytes are copied;
 * 4. otherwise the SHA-256 that ran along is taken if this instance alone wrote every part, in order; else the file is read once.
 */
export async function completeUpload(
  context: MultipartContext,
  claim: CompleteMultipartOptions,
): Promise<FinishedBlob> {
  const { layout, digests } = context
  const upload = await findUpload(layout, claim)
  // A wrong claim is refused before anything moves, so that it disturbs no writer.
  assertParts(claim, (await readJournal(upload.folder, claim.key)).parts, upload)
  const folder = await claimUpload(layout, upload)
  const beat = keepAlive(folder)
  const copy = temporaryPath(layout)
  let goesOn = true
  try {
    const state = await readJournal(folder, claim.key)
    assertParts(claim, state.parts, upload)
    const source = join(folder, 'data')
    const proven = state.unsettled
      ? await copyProven(context, { claim, source, copy })
      : await proveInPlace(context, { claim, source, state })
    await publishFile({
      key: claim.key,
      source: proven,
      target: keyPath(layout, claim.key),
      layout,
      durability: context.durability,
    })
    goesOn = false
    return { key: claim.key, proof: 'proven' }
  } catch (error) {
    if (isStorageError(error, 'digest-mismatch')) goesOn = false
    throw error
  } finally {
    clearInterval(beat)
    // What cannot be removed now is left to sweepTemporary; it is no reason to call a published
    // blob a failure.
    await removeTemporary(copy).catch(() => {})
    if (goesOn) {
      await releaseUpload(upload, folder).catch(() => {})
    } else {
      digests.drop(claim.uploadId)
      await removeTemporary(folder).catch(() => {})
    }
  }
}

/**
 * `sweepTemporary` goes by the time of the claimed folder, and hashing or copying may take longer
 * than its limit.
 */
function keepAlive(folder: string): NodeJS.Timeout {
  const beat = setInterval(() => {
    const now = new Date()
    utimes(folder, now, now).catch(() => {})
  }, 60_000)
  beat.unref()
  return beat
}

interface ProveOptions {
  readonly claim: CompleteMultipartOptions
  /** The data file of the upload. */
  readonly source: string
}

async function proveInPlace(
  context: MultipartContext,
  { claim, source, state }: ProveOptions & { readonly state: JournalState },
): Promise<string> {
  const file = await open(source, constants.O_RDWR | constants.O_NOFOLLOW)
  try {
    const { size } = await file.stat()
    if (size < claim.size) throw mismatch(claim)
    const oursAlone = [...state.writers].every((writer) => writer === context.writer)
    const etags = claim.parts.map((part) => part.etag)
    const known = oursAlone ? context.digests.digest(claim.uploadId, etags) : undefined
    if ((known ?? (await hashFile(context, { claim, file }))) !== claim.sha256) throw mismatch(claim)
    // Bytes of a part that is no part of the whole.
    if (size > claim.size) await file.truncate(claim.size)
    if (context.durability === 'full') await file.datasync()
    return source
  } finally {
    await file.close()
  }
}

async function copyProven(
  context: MultipartContext,
  { claim, source, copy }: ProveOptions & { readonly copy: string },
): Promise<string> {
  const from = await open(source, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    if ((await from.stat()).size < claim.size) throw mismatch(claim)
    const to = await open(copy, 'wx', 0o600)
    try {
      const hash = createHash('sha256')
      const { bufferBytes } = context
      const bytes = readChunks(from, {
        key: claim.key,
        start: 0,
        length: claim.size,
        bufferBytes,
        signal: claim.signal,
      })
      await writeBody(bytes, to, { position: 0, size: claim.size, bufferBytes, hashes: [hash] })
      if (hash.digest('hex') !== claim.sha256) throw mismatch(claim)
      if (context.durability === 'full') await to.datasync()
      return copy
    } finally {
      await to.close()
    }
  } finally {
    await from.close()
  }
}

async function hashFile(
  { bufferBytes }: MultipartContext,
  { claim, file }: { readonly claim: CompleteMultipartOptions; readonly file: FileHandle },
): Promise<string> {
  const hash = createHash('sha256')
  await drain(
    readChunks(file, { key: claim.key, start: 0, length: claim.size, bufferBytes, signal: claim.signal }),
    (chunk) => hash.update(chunk),
  )
  return hash.digest('hex')
}

function mismatch({ key }: CompleteMultipartOptions): Error {
  return failure('digest-mismatch', 'the parts make other bytes than announced', { key })
}
