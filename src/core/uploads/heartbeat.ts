/** Signs of life of an upload that takes long, so that nobody takes it for abandoned. */
import type { UploadRecord } from '../../storage/metadata/contract.js'
import type { Services } from '../services.js'

/** Between two signs of life, in milliseconds. */
const heartbeatMs = 30_000
/**
 * An upload that is being completed and gave no sign of life for so long was abandoned, in
 * milliseconds.
 */
export const abandonedAfterMs: number = 4 * heartbeatMs

export interface Heartbeat {
  /**
   * The times that the record may have as its `updatedAt`: the last one that was confirmed, then
   * those whose answer is not there, or got lost.
   */
  readonly times: () => readonly number[]
  readonly stop: () => void
}

/**
 * Gives a sign of life every 30 seconds until it is stopped, for an upload that stays in the state
 * it has now.
 */
export function startHeartbeat(services: Services, upload: UploadRecord): Heartbeat {
  const { metadata, settings } = services
  const state = upload.state === 'completing' ? 'completing' : 'open'
  let confirmed = upload.updatedAt
  let unconfirmed: readonly number[] = []
  const timer = setInterval(() => {
    const now = settings.clock()
    unconfirmed = [...unconfirmed, now]
    metadata.uploads.touch(upload.id, { state, now, expiresAt: now + settings.limits.uploadSeconds * 1000 }).then(
      () => {
        confirmed = now
        unconfirmed = unconfirmed.filter((at) => at > now)
      },
      (err: unknown) => settings.logger.warn({ err }, 'no sign of life recorded'),
    )
  }, heartbeatMs)
  timer.unref()
  return { times: () => [confirmed, ...unconfirmed], stop: () => clearInterval(timer) }
}

/** Keeps an open upload from expiring while its bytes come in one request. */
export async function withHeartbeat<T>(services: Services, upload: UploadRecord, work: () => Promise<T>): Promise<T> {
  const heartbeat = startHeartbeat(services, upload)
  try {
    return await work()
  } finally {
    heartbeat.stop()
  }
}
