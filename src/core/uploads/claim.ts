/** Claiming an upload for its completion, and giving it back: also where the metadata store does not answer at that very moment. */
import { setTimeout as wait } from 'node:timers/promises'
import type { UploadRecord } from '../../storage/metadata/contract.js'
import type { Services } from '../services.js'

/** Milliseconds before each further try; an upload that cannot be given back in this time is the sweeper's. */
const delays = [500, 1000, 2000, 4000, 8000, 16_000]

/**
 * Claims an open upload and returns it as it is then; undefined where somebody else has it. Where the answer is lost the claim may stand, with nobody behind it: it is taken back in the
 * background (to `ifAnswerLost`, by default for another try), and only it, which is known by its time.
 */
export async function claimUpload(
  services: Services,
  upload: UploadRecord,
  { ifAnswerLost = 'open' }: { readonly ifAnswerLost?: 'open' | 'aborted' } = {},
): Promise<UploadRecord | undefined> {
  const { metadata, settings, inBackground } = services
  const updatedAt = settings.clock()
  try {
    return (await metadata.uploads.move(upload.id, 'open', 'completing', updatedAt))
      ? { ...upload, state: 'completing', updatedAt }
      : undefined
  } catch (error) {
    inBackground(() =>
      tryAgain(services, () =>
        metadata.uploads.move(upload.id, 'completing', ifAnswerLost, settings.clock(), { updatedAt }),
      ),
    )
    throw error
  }
}

/** `unconfirmedBeats`: times of signs of life that were not answered, any of which may be the recorded one. */
export type TouchedUpload = UploadRecord & { readonly unconfirmedBeats?: readonly number[] }

/** Gives a claimed upload back to its client, to try again. Whatever ended it, or claimed it again, since it was last touched stays. */
export async function reopen(
  services: Services,
  { id, updatedAt, unconfirmedBeats = [] }: TouchedUpload,
): Promise<void> {
  const { metadata, settings } = services
  const move = async (): Promise<void> => {
    for (const at of [updatedAt, ...unconfirmedBeats])
      if (await metadata.uploads.move(id, 'completing', 'open', settings.clock(), { updatedAt: at })) return
  }
  await move().catch(() => services.inBackground(() => tryAgain(services, move)))
}

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
