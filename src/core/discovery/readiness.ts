/** Whether metadata and storage answer now. */
import { messageOf } from '../../foreign.js'
import type { StorageBackend, StorageCheck } from '../../storage/blob/contract.js'
import type { MetadataStore } from '../../storage/metadata/contract.js'
import type { StorageMark } from '../blobs/storage-mark.js'
import type { Settings } from '../settings.js'

export interface Readiness {
  readonly metadata: boolean
  readonly storage: boolean
}

/**
 * A check may write a probe, so that many load balancers asking each second would keep the storage
 * busy.
 */
const rememberedMs = 5000

/**
 * Milliseconds until a part that does not answer counts as not ready: who asks /readyz gives up
 * soon.
 */
const answerMs = 1500

/**
 * Asks one part. While an earlier question has no answer, no other is put: a part that hangs must
 * not be asked again and again.
 */
function createQuestion(ask: (signal: AbortSignal) => Promise<StorageCheck>): () => Promise<StorageCheck> {
  let running: Promise<StorageCheck> | undefined
  return async () => {
    const deadline = new AbortController()
    running ??= ask(deadline.signal).finally(() => {
      running = undefined
    })
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<StorageCheck>((resolve) => {
      timer = setTimeout(() => {
        deadline.abort()
        resolve({ ok: false, message: `no answer within ${answerMs / 1000} s` })
      }, answerMs)
    })
    return Promise.race([running, late]).finally(() => clearTimeout(timer))
  }
}

/**
 * Makes the question; its answer, good or bad, is remembered for five seconds, and those who ask at
 * the same time share one. A part that does not answer in time is not ready.
 */
export function createReadiness(options: {
  readonly settings: Settings
  readonly storage: StorageBackend
  readonly metadata: MetadataStore
  readonly storageMark: StorageMark
}): () => Promise<Readiness> {
  const { settings, storage, metadata, storageMark } = options
  const askStorage = createQuestion(async (signal) => {
    const answer = (await storage.check?.({ signal })) ?? { ok: true, message: 'ok' }
    if (!answer.ok) return answer
    return storageMark.check({ signal }).then(
      () => answer,
      (error: unknown) => ({ ok: false, message: messageOf(error) }),
    )
  })
  const askMetadata = createQuestion(() => metadata.check())
  const check = async (): Promise<Readiness> => {
    const [database, blobs] = await Promise.all([askMetadata(), askStorage()])
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
