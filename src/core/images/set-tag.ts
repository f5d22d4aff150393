/** Pointing a tag at an image, for the protocol and for the use cases of people. */
import type { Activity, ContainerRecord, ImageRecord, TagChange } from '../../storage/metadata/contract.js'
import type { Principal } from '../auth/policy.js'
import { LibraryError } from '../http/errors.js'
import type { LibraryRequest } from '../http/messages.js'
import { containerPath } from '../model/references.js'
import type { Services } from '../services.js'

/** Who sets it, as hooks are told; `by`: whom the event names, absent where nobody asked. */
export interface TagSetter {
  readonly principal: Principal | null
  readonly request: LibraryRequest
  readonly by: { readonly principal: Principal | null; readonly request: LibraryRequest } | undefined
}

export interface TagWish {
  readonly container: ContainerRecord
  /** Of this container, and visible. */
  readonly image: ImageRecord
  readonly tag: string
  /** The arch that is asked for; undefined = what the image says, else the registry's default. */
  readonly declared: string | undefined
  /**
   * Digest that the tag must point at now; null = it must not be there. Default: whatever it points
   * at.
   */
  readonly expected?: string | null
  readonly activity?: Activity
}

/**
 * Asks the hook, and points the tag. The SIF header has the last word on the arch, since a pull
 * never compares the arch of what it got (protocol Q36).
 */
export async function setTag(
  { metadata, settings, hooks, emit }: Services,
  { principal, request, by }: TagSetter,
  { container, image, tag, declared, expected, activity }: TagWish,
): Promise<{ readonly arch: string; readonly change: TagChange }> {
  if (declared !== undefined && image.archFromHeader && image.arch !== null && image.arch !== declared)
    throw new LibraryError('invalid-request', `Arch: ${declared}, but the image says ${image.arch}`, { field: 'arch' })
  const arch = declared ?? image.arch ?? settings.defaultArch
  const path = containerPath(container)
  await hooks.beforeTag?.({ principal, request, path, image, tag, arch })
  const now = settings.clock()
  if (image.arch === null) await metadata.images.setArchIfUnknown(image.id, arch, now)
  const change = await metadata.tags.set({
    ...{ containerId: container.id, arch, tag, imageId: image.id, now },
    maxTags: settings.limits.maxContainerTags,
    ...(expected !== undefined && { expected }),
    ...(activity !== undefined && { activity }),
  })
  if (change.isSet && change.previous !== image.id) {
    const { id: imageId, digest } = image
    emit('tag.moved', { path, imageId, digest, tag, arch, previousImageId: change.previous }, by)
  }
  return { arch, change }
}
