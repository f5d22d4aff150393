/**
 * The claim of an upload: one caller completes it, shows that it is alive, and ends the claim
 * whatever happens.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { isStorageError } from '../../storage/blob/errors.js'
import type { UploadRecord } from '../../storage/metadata/contract.js'
import { isMetadataError } from '../../storage/metadata/errors.js'
import { dropBlob } from '../blobs/why-kept.js'
import type { Services } from '../services.js'
import { endUpload } from './abort.js'
import { type Heartbeat, startHeartbeat } from './heartbeat.js'
import type { Pusher } from './pusher.js'

export interface Claim {
  /** The upload in state `completing`. */
  readonly upload: UploadRecord
  /**
   * Runs the completion, with a heartbeat. Where it throws, the claim ends as {@link afterFailure}
   * says, and what the client must read is thrown. Call it once.
   */
  run<T>(work: () => Promise<T>): Promise<T>
}

/**
 * Thrown by the work of a claim: a hook or a rule refuses the finished blob. `run` throws the
 * reason.
 */
export class Refused extends Error {
  constructor(
    readonly reason: unknown,
    readonly blobKey: string,
  ) {
    super('the bytes are refused', { cause: reason })
  }
}

/** Why a completion failed. */
export type CompletionFailure = 'store-failed' | 'bytes-wrong-or-gone' | 'storage-not-ours' | 'refused'

/**
 * What a failed completion does to its upload: the client may try it again, or it ends and its
 * bytes are dropped.
 */
export const afterFailure: Readonly<Record<CompletionFailure, 'reopen' | 'abort'>> = {
  // also where the client named parts that are not there: nothing is said about the bytes that were
  // sent
  'store-failed': 'reopen',
  'bytes-wrong-or-gone': 'abort',
  // everything seems to be gone from a volume that is not mounted
  'storage-not-ours': 'reopen',
  refused: 'abort',
}

/** Finds the row of the table, and the error that the client must read. */
export async function explainFailure(
  { storageMark }: Pick<Services, 'storageMark'>,
  thrown: unknown,
): Promise<{ readonly failure: CompletionFailure; readonly error: unknown }> {
  const error = thrown instanceof Refused ? thrown.reason : thrown
  if (isStorageError(error, 'digest-mismatch') || isStorageError(error, 'size-mismatch'))
    return { failure: 'bytes-wrong-or-gone', error }
  if (isStorageError(error, 'upload-not-found') || isStorageError(error, 'not-found'))
    return storageMark.check().then(
      () => ({ failure: 'bytes-wrong-or-gone', error }),
      (notOurs: unknown) => ({ failure: 'storage-not-ours', error: notOurs }),
    )
  // a hook that asks a store may fail with it
  const isOfStore = isStorageError(error) || isMetadataError(error)
  return { failure: thrown instanceof Refused && !isOfStore ? 'refused' : 'store-failed', error }
}

/**
 * Claims an open upload; undefined where somebody else has it. Where the answer is lost the claim
 * may stand, with nobody behind it: it is taken back in the background, and only it, which is known
 * by its time.
 *
 * `isResumable`: the client can complete the upload again. Default: true. False for bytes that come
 * with the very request: each failure ends the upload then.
 */
export async function claimUpload(
  services: Services,
  upload: UploadRecord,
  { pusher, isResumable = true }: { readonly pusher: Pusher; readonly isResumable?: boolean },
): Promise<Claim | undefined> {
  const { metadata, settings, inBackground } = services
  const updatedAt = settings.clock()
  try {
    if (!(await metadata.uploads.move(upload.id, 'open', 'completing', updatedAt))) return undefined
  } catch (error) {
    const to = isResumable ? 'open' : 'aborted'
    inBackground(() =>
      tryAgain(services, () => metadata.uploads.move(upload.id, 'completing', to, settings.clock(), { updatedAt })),
    )
    throw error
  }
  const claimed: UploadRecord = { ...upload, state: 'completing', updatedAt }
  return {
    upload: claimed,
    run: async (work) => {
      const heartbeat = startHeartbeat(services, claimed)
      try {
        return await work()
      } catch (thrown) {
        const { failure, error } = await explainFailure(services, thrown)
        if (isResumable && afterFailure[failure] === 'reopen') await reopen(services, claimed.id, heartbeat)
        else {
          const blobKey = thrown instanceof Refused ? thrown.blobKey : upload.key
          await abort(services, claimed, { pusher, blobKey })
        }
        throw error
      } finally {
        heartbeat.stop()
      }
    },
  }
}

/**
 * Gives the upload back to its client, in the background where the metadata store does not answer.
 * Whatever ended it, or claimed it again, since its last sign of life stays.
 */
async function reopen(services: Services, uploadId: string, heartbeat: Heartbeat): Promise<void> {
  const { metadata, settings, inBackground } = services
  const move = async (): Promise<void> => {
    for (const updatedAt of heartbeat.times())
      if (await metadata.uploads.move(uploadId, 'completing', 'open', settings.clock(), { updatedAt })) return
  }
  await move().catch(() => inBackground(() => tryAgain(services, move)))
}

/**
 * Ends the upload and drops its bytes. Never throws: the failure before is what the client must
 * read.
 */
async function abort(
  services: Services,
  upload: UploadRecord,
  { pusher, blobKey }: { readonly pusher: Pusher; readonly blobKey: string },
): Promise<void> {
  try {
    const isEnded = await endUpload(services, upload, { reason: 'failed', pusher })
    // somebody else ended it before these bytes were there, or the storage moved what it finished
    if (!isEnded || blobKey !== upload.key) await dropBlob(services, blobKey)
  } catch (err) {
    services.settings.logger.warn({ err, key: blobKey }, 'a failed upload is left to the sweeper')
  }
}

/**
 * Milliseconds before each further try; a claim that cannot be ended in this time is the sweeper's.
 */
const delays = [500, 1000, 2000, 4000, 8000, 16_000]

async function tryAgain({ settings, stopping }: Services, move: () => Promise<unknown>): Promise<void> {
  for (const delay of delays) {
    await wait(delay, undefined, { signal: stopping, ref: false }).catch(() => {})
    try {
      await move()
      return
    } catch (err) {
      settings.logger.debug({ err }, 'an upload could not be given back yet')
    }
    if (stopping.aborted) break
  }
  settings.logger.warn({}, 'an upload could not be given back to its client, and is left to the sweeper')
}
