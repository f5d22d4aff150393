/** The inspection of an image by its name. */
import type { SifInspection } from '../../sif/index.js'
import { LibraryError } from '../http/errors.js'
import { checkArch, containerPath, hashFromDigest, parseReference } from '../model/references.js'
import type { Services } from '../services.js'
import { findImage } from './find-image.js'
import { inspectionOf } from './inspections.js'

export interface ImageInspection {
  /** `entity/collection/container`. */
  readonly path: string
  readonly imageId: string
  /** `sha256.HASH`. */
  readonly hash: string
  /** Bytes. */
  readonly size: number
  readonly sif: SifInspection
}

/**
 * `library://`, with or without a host, is taken off. Throws LibraryError `not-found`,
 * `invalid-name`.
 */
export async function inspectReference(
  services: Services,
  reference: string,
  arch: string | undefined,
): Promise<ImageInspection> {
  const segments = reference.replace(/^library:\/*/, '').split('/')
  // `library://HOST/entity/collection/container`
  const path = (segments.length === 4 ? segments.slice(1) : segments).join('/')
  const parsed = parseReference(path.split('/'), services.settings)
  const found = await findImage(services, parsed, arch === undefined ? undefined : checkArch('arch', arch))
  const sif = found && (await inspectionOf(services, found.image))
  if (found === undefined || sif === undefined) throw new LibraryError('not-found', `no such image: ${path}`)
  const { id: imageId, digest, size } = found.image
  return { path: containerPath(found.container), imageId, hash: hashFromDigest(digest), size, sif }
}
