/** A URL for the bytes of an image, for the protocol and for the use cases of people. */
import type { ImageInContainer } from '../../storage/metadata/contract.js'
import type { Principal } from '../auth/policy.js'
import { LibraryError } from '../http/errors.js'
import type { LibraryRequest } from '../http/messages.js'
import { isVisible } from '../model/objects.js'
import { containerPath } from '../model/references.js'
import type { Services } from '../services.js'

/**
 * Asks the hook, and makes a URL that is a capability of its own. Counts as a pull, unless the
 * request is a HEAD. `filename`: what a browser saves the file as. Throws `not-found` for an image
 * without bytes.
 */
export async function handOut(
  services: Services,
  { image, container }: ImageInContainer,
  {
    principal,
    request,
    by,
    filename,
  }: {
    readonly principal: Principal | null
    readonly request: LibraryRequest
    readonly by: { readonly principal: Principal | null; readonly request: LibraryRequest } | undefined
    readonly filename: string
  },
): Promise<string> {
  const { hooks, transfers, emit } = services
  const path = containerPath(container)
  if (!isVisible(image) || image.blobKey === null) throw new LibraryError('not-found', `not uploaded yet: ${path}`)
  await hooks.beforePull?.({ principal, request, path, image, container })
  const blob = {
    key: image.blobKey,
    size: image.size,
    sha256: image.digest,
    filename,
    imageId: image.id,
    isHidden: container.private || container.collectionPrivate,
  }
  const url = await transfers.pullUrl(request, blob, principal)
  if (request.method !== 'HEAD') {
    services.countDownload(container.id, image.id)
    const { id: imageId, digest, size } = image
    emit('image.pulled', { path, imageId, digest, size }, by)
  }
  return url
}
