/**
 * Keys of sidecars:
 *
 *     records/entities/<id>/<n>              also collections/ and containers/
 *     records/images/ab/<digest>/<id>/<n>    ab = the first two digits, so that the images of a blob are found by its digest
 *
 * A key is never written twice, so each change has a greater number; the greatest is the truth, and
 * the others are on their way out.
 */
import type { StorageBackend } from '../../storage/blob/contract.js'
import type { RecordChange } from '../../storage/metadata/contract.js'
import { digestPath, recordsPrefix } from '../blobs/keys.js'

export type SidecarTarget = Pick<RecordChange, 'kind' | 'id' | 'digest'>

export interface SidecarVersion {
  readonly key: string
  readonly target: SidecarTarget
  readonly number: number
}

const folders = { entity: 'entities', collection: 'collections', container: 'containers', image: 'images' } as const
const namesPattern = /^records\/(entities|collections|containers)\/([0-9a-f]{24})\/(\d{8,15})$/
const imagesPattern = /^records\/images\/[0-9a-f]{2}\/([0-9a-f]{64})\/([0-9a-f]{24})\/(\d{8,15})$/

/** Prefix of all sidecars of a kind; of images, those whose digest begins with these two digits. */
export function sidecarsOfKind(kind: 'entity' | 'collection' | 'container'): string {
  return `${recordsPrefix}${folders[kind]}/`
}

/**
 * Prefix of the sidecars of all images with this digest, or whose digest begins with these two
 * digits.
 */
export function sidecarsOfImages(digest: string): string {
  return `${recordsPrefix}images/${digest.length === 2 ? digest : digestPath(digest)}/`
}

const folderOf = ({ kind, id, digest }: SidecarTarget): string =>
  kind === 'image' ? `${sidecarsOfImages(digest ?? '')}${id}/` : `${sidecarsOfKind(kind)}${id}/`

export function sidecarKey(version: SidecarTarget & { readonly number: number }): string {
  return `${folderOf(version)}${String(version.number).padStart(8, '0')}`
}

function parseKey(key: string): SidecarVersion | undefined {
  const names = namesPattern.exec(key)
  if (names !== null) {
    const kind = (['entity', 'collection', 'container'] as const).find((each) => folders[each] === names[1])
    return kind && { key, target: { kind, id: names[2] ?? '', digest: null }, number: Number(names[3]) }
  }
  const images = imagesPattern.exec(key)
  return images === null
    ? undefined
    : { key, target: { kind: 'image', id: images[2] ?? '', digest: images[1] ?? '' }, number: Number(images[3]) }
}

/** All versions of the sidecar of one record, the newest first. */
export async function listVersions(storage: StorageBackend, target: SidecarTarget): Promise<readonly SidecarVersion[]> {
  const found: SidecarVersion[] = []
  for await (const { key } of storage.list(folderOf(target))) {
    const version = parseKey(key)
    if (version !== undefined) found.push(version)
  }
  return found.sort((a, b) => b.number - a.number)
}

/**
 * The newest version of each sidecar below a prefix; in memory, since a backend lists in any order.
 */
export async function listNewest(storage: StorageBackend, prefix: string): Promise<readonly SidecarVersion[]> {
  const newest = new Map<string, SidecarVersion>()
  for await (const { key } of storage.list(prefix)) {
    const version = parseKey(key)
    if (version === undefined) continue
    const { kind, id, digest } = version.target
    const name = `${kind} ${id} ${digest}`
    if ((newest.get(name)?.number ?? -1) < version.number) newest.set(name, version)
  }
  return [...newest.values()]
}
