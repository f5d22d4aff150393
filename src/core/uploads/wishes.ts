/**
 * What the completion of an upload shall do beside publishing its image: remembered from its start.
 */
import type { UploadRecord } from '../../storage/metadata/contract.js'
import type { Services } from '../services.js'

export interface UploadWishes {
  readonly tags: readonly string[]
  /** Of the tags; null = what the image says. */
  readonly arch: string | null
}

const none: UploadWishes = { tags: [], arch: null }
/** Documents of the core: no extension may have this name. */
const owner = 'core'
const kind = 'upload-wishes'

type Stores = Pick<Services, 'metadata' | 'settings'>

export async function rememberWishes({ metadata, settings }: Stores, id: string, wishes: UploadWishes): Promise<void> {
  if (wishes.tags.length > 0) await metadata.documents.put(owner, kind, id, { value: wishes, now: settings.clock() })
}

/** No tags where they were set already, or none were wanted. */
export async function wishesOf({ metadata }: Pick<Stores, 'metadata'>, id: string): Promise<UploadWishes> {
  return ((await metadata.documents.get(owner, kind, id))?.value as UploadWishes | undefined) ?? none
}

export async function forgetWishes({ metadata }: Pick<Stores, 'metadata'>, id: string): Promise<void> {
  await metadata.documents.delete(owner, kind, id)
}

/**
 * A completion that was published, and whose tags were not set, may be repeated for so long, in
 * milliseconds.
 */
const repeatMs = 86_400_000

const isOver = (upload: UploadRecord | undefined, now: number): boolean =>
  upload === undefined ||
  upload.state === 'aborted' ||
  upload.state === 'expired' ||
  (upload.state === 'completed' && upload.updatedAt < now - repeatMs)

/** Forgets those of uploads that have ended. */
export async function sweepWishes(
  { metadata, settings }: Stores,
  { isStopped }: { readonly isStopped: () => boolean },
): Promise<void> {
  let after: string | undefined
  while (!isStopped()) {
    const page = await metadata.documents.list(owner, kind, { limit: 100, ...(after !== undefined && { after }) })
    for (const { id } of page)
      if (isOver(await metadata.uploads.find(id), settings.clock())) await forgetWishes({ metadata }, id)
    after = page.at(-1)?.id
    if (page.length < 100) return
  }
}
