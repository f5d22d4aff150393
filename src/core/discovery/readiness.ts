/** Whether metadata and storage answer now. */
import { messageOf } from '../../foreign.js'
import type { StorageBackend, StorageCheck } from '../../storage/blob/contract.js'
import type { MetadataStore } from '../../storage/metadata/contract.js'
import type { StorageMark } from '../blobs/storage-mark.js'
import type { Settings } from '../options.js'

export interface Readiness {
  readonly metadata: boolean
  readonly storage: boolean
}

/** A check may write a probe, so that many load balancers asking each second would keep the storage busy. */
const rememberedMs = 5000

/** Makes the question; its answer, good or bad, is remembered for five seconds, and those who ask at the same time share one. */
export function createReadiness(options: {
  readonly settings: Settings
  readonly storage: StorageBackend
  readonly metadata: MetadataStore
  readonly storageMark: StorageMark
}): () => Promise<Readiness> {
  const { settings, storage, metadata, storageMark } = options
  const checkStorage = async (): Promise<StorageCheck> => {
    const answer = (await storage.check?.()) ?? { ok: true, message: 'ok' }
    if (!answer.ok) return answer
    return storageMark.check().then(
      () => answer,
      (error: unknown) => ({ ok: false, message: messageOf(error) }),
    )
  }
  const check = async (): Promise<Readiness> => {
    const [database, blobs] = await Promise.all([metadata.check(), checkStorage()])
    // the reasons stay in the log: anybody may ask
    if (!database.ok || !blobs.ok)
      settings.logger.warn({ metadata: database.message, storage: blobs.message }, 'not ready')
    return { metadata: database.ok, storage: blobs.ok }
  }
  let last: { readonly answer: Promise<Readiness>; readonly askedAt: number } | undefined
  return () => {
    const now = settings.clock()
    // a clock that was set back must not keep an answer
    if (last === undefined || now - last.askedAt >= rememberedMs || now < last.askedAt)
      last = { answer: check(), askedAt: now }
    return last.answer
  }
}
