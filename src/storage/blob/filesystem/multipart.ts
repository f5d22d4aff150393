import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { ByteStream, MultipartCapability, PartStat, WritePartOptions } from '../contract.js'
import { isStorageError } from '../errors.js'
import { assertKey } from '../keys.js'
import { assertPart } from '../parts.js'
import { readBody, throwIfAborted } from '../streams.js'
import { completeUpload } from './complete.js'
import type { MultipartContext } from './context.js'
import { failure, guarded, isAbsent, NAME, toStorageError } from './errors.js'
import { removeTemporary } from './layout.js'
import { beginPart } from './part-journal.js'
import {
  claimUpload,
  createUpload,
  type FoundUpload,
  findUpload,
  listUploads,
  readJournal,
  uploadNotFound,
} from './upload-folder.js'
import { writeBody } from './write.js'

/**
 * Bytes of a journal. One of 10,000 parts that are written once each has 4 MB, and it is read whole
 * at the end.
 */
const maxJournalBytes = 32 * 1024 ** 2

/**
 * Parts lie at their offset in one file, so completing copies nothing. While a part is sent again
 * it does not count, and if that fails it does not count either: its bytes are overwritten in
 * place. Writers of the same part in one process queue up. In two processes they may mix, and then
 * the journal shows both, no hash that ran along is trusted, and `complete` decides by what lies on
 * the disk.
 */
export function filesystemMultipart(context: MultipartContext): MultipartCapability {
  const { layout, limits, digests, locks } = context
  return {
    create: (key, { size, partSize }) =>
      guarded(key, async () => {
        assertKey(key, NAME)
        if (
          !Number.isSafeInteger(partSize) ||
          partSize < limits.minPartSize ||
          partSize > limits.maxPartSize ||
          size > partSize * limits.maxParts
        ) {
          throw failure('unsupported', `${size} bytes in parts of ${partSize}: beyond the limits`, { key })
        }
        return { uploadId: await createUpload(layout, { key, size, partSize }) }
      }),
    writePart: (body, part) =>
      guarded(part.key, async () => {
        const upload = await findUpload(layout, part)
        assertPart(part, upload, limits)
        const run = () => writePart(context, { body, part, upload })
        return locks.run(`${part.uploadId}/${part.partNumber}`, { key: part.key, signal: part.signal, run })
      }),
    listParts: (ref) =>
      guarded(ref.key, async () => {
        const { parts } = await readJournal((await findUpload(layout, ref)).folder, ref.key)
        return [...parts.values()].sort((a, b) => a.partNumber - b.partNumber)
      }),
    complete: (claim) =>
      guarded(claim.key, async () => {
        throwIfAborted(claim.signal, { backend: NAME, key: claim.key })
        return completeUpload(context, claim)
      }),
    abort: (ref) =>
      guarded(ref.key, async () => {
        try {
          const claimed = await claimUpload(layout, await findUpload(layout, ref))
          digests.drop(ref.uploadId)
          await removeTemporary(claimed)
        } catch (error) {
          if (!isStorageError(error, 'upload-not-found')) throw error
        }
      }),
    async *listUploads() {
      try {
        yield* listUploads(layout)
      } catch (error) {
        throw toStorageError(error)
      }
    },
  }
}

interface WriteOptions {
  readonly body: ByteStream
  readonly part: WritePartOptions
  readonly upload: FoundUpload
}

async function writePart(context: MultipartContext, options: WriteOptions): Promise<PartStat> {
  const { folder, key } = options.upload
  const files: FileHandle[] = []
  try {
    // Neither file is created here: an upload that was removed must not come back in pieces.
    const data = await open(join(folder, 'data'), constants.O_WRONLY | constants.O_NOFOLLOW)
    files.push(data)
    const journal = await open(join(folder, 'journal'), constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW)
    files.push(journal)
    return await writeJournaled(context, { ...options, data, journal })
  } catch (error) {
    if (isAbsent(error)) throw uploadNotFound(key)
    throw error
  } finally {
    await Promise.all(files.map((file) => file.close()))
  }
}

async function writeJournaled(
  context: MultipartContext,
  options: WriteOptions & { readonly data: FileHandle; readonly journal: FileHandle },
): Promise<PartStat> {
  const { body, part, data, journal } = options
  const { layout, digests, bufferBytes, writer } = context
  const { key, uploadId, partNumber, size, partSize, signal } = part
  if ((await journal.stat()).size > maxJournalBytes)
    throw failure('upload-exhausted', 'the parts of this upload were written too often', { key })
  const entry = await beginPart(journal, { part: partNumber, writer })
  try {
    // Not before `begin`: see completeUpload.
    await findUpload(layout, part)
    const digest = createHash('sha256')
    const whole = digests.start(uploadId, partNumber)
    const hashes = whole === undefined ? [digest] : [digest, whole]
    await writeBody(readBody(body, { backend: NAME, key, size, signal }), data, {
      position: (partNumber - 1) * partSize,
      size,
      bufferBytes,
      hashes,
    })
    const etag = digest.digest('hex')
    if (part.sha256 !== undefined && part.sha256 !== etag)
      throw failure('digest-mismatch', `part ${partNumber} has other bytes than announced`, { key })
    await entry.finish({ size, etag })
    // Completed without this part, or aborted, while the bytes came.
    await findUpload(layout, part)
    digests.keep(uploadId, { partNumber, etag, hash: whole })
    return { partNumber, size, etag }
  } catch (error) {
    await entry.fail().catch(() => {})
    throw error
  }
}
