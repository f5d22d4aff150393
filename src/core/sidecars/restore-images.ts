/** Putting back images and their tags. */
import type { RestoredImage } from '../../storage/metadata/contract.js'
import { isMetadataError } from '../../storage/metadata/errors.js'
import { hashFromDigest } from '../model/references.js'
import { type ImageSidecar, isLaterThanStore } from './document.js'
import { listVersions } from './keys.js'
import { hideWithoutBytes, isLost } from './lost-images.js'
import type { ReindexContext } from './reindex-context.js'
import type { NameRestorer } from './restore-names.js'

export interface ImageRestorer {
  /** `key` is where the sidecar was read. The calls for one container come one after the other. */
  restore(found: { readonly key: string; readonly sidecar: ImageSidecar }): Promise<void>
}

export function createImageRestorer({ services, dryRun, report }: ReindexContext, places: NameRestorer): ImageRestorer {
  const { metadata, storage } = services
  /**
   * Tags that this run set, and when their sidecar says that they were: among sidecars the newest
   * wins, while a tag that the store had before stays.
   */
  const tagged = new Map<string, number>()

  const whyNoBytes = async ({ blobKey, size }: ImageSidecar): Promise<string | undefined> => {
    const stat = await storage.stat(blobKey)
    if (stat === undefined) return 'its bytes are not in the storage'
    return stat.size === size ? undefined : `its blob has ${stat.size} bytes instead of ${size}`
  }

  /** The tags that the image gains. */
  const wantedTags = async (sidecar: ImageSidecar, path: string): Promise<RestoredImage['tags']> => {
    const wanted: RestoredImage['tags'][number][] = []
    for (const { arch, tag, updatedAt } of sidecar.tags) {
      const setAt = tagged.get(`${path}:${tag} ${arch}`)
      if (
        setAt === undefined
          ? (await metadata.images.findByPath(sidecar, { arch, tag })) === undefined
          : setAt < updatedAt
      )
        wanted.push({ arch, tag, updatedAt })
    }
    return wanted
  }

  const withReplaced = ({ tags }: ImageSidecar, path: string): RestoredImage['tags'] =>
    tags.map((each) => {
      const setAt = tagged.get(`${path}:${each.tag} ${each.arch}`)
      return setAt === undefined || setAt >= each.updatedAt ? each : { ...each, replaces: setAt }
    })

  /**
   * The same image was pushed again under another id, which has a sidecar of its own: this one
   * would bring back the image after it was deleted.
   */
  const removeSuperseded = async (sidecar: ImageSidecar): Promise<void> => {
    if (dryRun || (await metadata.images.find(sidecar.id)) !== undefined) return
    const other = await metadata.images.findByPath(sidecar, { digest: sidecar.digest })
    // never the last one
    if (other === undefined || (await listVersions(storage, { ...sidecar, id: other.image.id })).length === 0) return
    for (const { key } of await listVersions(storage, sidecar)) await storage.delete(key)
  }

  return {
    restore: async ({ key, sidecar }) => {
      const { entity, collection, container, tags: _, kind: _kind, ...image } = sidecar
      const path = `${entity}/${collection}/${container}`
      const what = `${path}:${hashFromDigest(sidecar.digest)}`
      const lost = await isLost(services, sidecar)
      const tags = await wantedTags(sidecar, path)
      if (!lost && tags.length === 0) return removeSuperseded(sidecar)
      // deleted or changed, not lost; asked in this order, because the sidecar follows the store
      // and only then the note of the change goes
      if ((await metadata.changes.isPending('image', sidecar.id)) && !(await isLaterThanStore(services, sidecar)))
        return
      if ((await storage.stat(key)) === undefined) return
      const problem = lost ? await whyNoBytes(sidecar) : undefined
      if (problem !== undefined) return report({ outcome: 'not-restored', kind: 'image', what, why: problem })
      const place = await places.containerOf(sidecar)
      const exposed = places.whyItWouldBeExposed(sidecar, place)
      if (exposed !== undefined) return report({ outcome: 'not-restored', kind: 'image', what, why: exposed })
      if (lost && !dryRun) await hideWithoutBytes(services, sidecar)
      let done: {
        readonly restored: boolean
        readonly tags: readonly { readonly arch: string; readonly tag: string; readonly updatedAt: number }[]
      }
      try {
        done =
          dryRun || place === undefined
            ? { restored: lost, tags }
            : await metadata.images.restore({ ...image, containerId: place.id, tags: withReplaced(sidecar, path) })
      } catch (error) {
        if (!isMetadataError(error, 'exists')) throw error
        return report({ outcome: 'not-restored', kind: 'image', what, why: 'its id is that of another image' })
      }
      if (done.restored) report({ outcome: 'restored', kind: 'image', what, why: sidecar.state, bytes: sidecar.size })
      for (const { arch, tag, updatedAt } of done.tags) {
        const name = `${path}:${tag} ${arch}`
        if (!tagged.has(name)) report({ outcome: 'restored', kind: 'tag', what: `${path}:${tag}`, why: arch })
        tagged.set(name, updatedAt)
      }
      if (!lost) await removeSuperseded(sidecar)
    },
  }
}
