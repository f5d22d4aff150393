/** Finding the image that a reference names. */
import type { ImageInContainer } from '../../storage/metadata/contract.js'
import type { Reference } from '../model/references.js'
import type { Services } from '../services.js'

type Stores = Pick<Services, 'metadata' | 'settings'>

/** Without an arch: the default one, else the only one (protocol 2.6). */
async function findByTag(
  { metadata, settings }: Stores,
  reference: Reference,
  tag: string,
  arch: string | undefined,
): Promise<ImageInContainer | undefined> {
  const found = await metadata.images.findByPath(reference, { tag, arch: arch ?? settings.defaultArch })
  if (found !== undefined || arch !== undefined) return found
  const container = await metadata.containers.findByPath(reference)
  if (container === undefined) return undefined
  const candidates = await metadata.tags.list(container.id, { tag, limit: 2 })
  return candidates.length === 1 && candidates[0] !== undefined
    ? metadata.images.find(candidates[0].imageId)
    : undefined
}

/** By tag (`latest` where none is said) and arch, or by hash; also one without bytes. */
export async function findImage(
  stores: Stores,
  reference: Reference,
  arch: string | undefined,
): Promise<ImageInContainer | undefined> {
  const { selector } = reference
  // a hash ignores the arch: during a push the new image has none yet (protocol 5.4, Q25)
  if (selector?.kind === 'hash') return stores.metadata.images.findByPath(reference, { digest: selector.digest })
  // nothing is stored under `sif.<uuid>`
  if (selector?.kind === 'uuid') return undefined
  return findByTag(stores, reference, selector === undefined ? 'latest' : selector.tag, arch)
}
