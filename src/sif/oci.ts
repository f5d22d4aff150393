/**
 * OCI-SIF: an image of OCI inside a SIF file, as a root index, manifests, configurations and
 * layers.
 */
import { hexOf, type SifObject } from './layout.js'
import type { ByteSpan, Pieces } from './source.js'
import { listOf, membersOf, parseJson, type SifTexts, textsOf } from './texts.js'

export interface OciLayer {
  readonly mediaType: string | null
  readonly digest: string
  /** Bytes, as the manifest says. */
  readonly size: number | null
}

export interface OciManifest {
  readonly digest: string
  readonly mediaType: string | null
  readonly artifactType: string | null
  /** Go name, of the configuration; null = not said. */
  readonly arch: string | null
  readonly os: string | null
  readonly layers: readonly OciLayer[]
  readonly labels: SifTexts | null
}

export interface OciFacts {
  readonly manifests: readonly OciManifest[]
  /**
   * Signatures and attestations of cosign that the index holds, by what they are about:
   * `sha256-….sig`.
   */
  readonly cosign: readonly string[]
  /** What could not be read or does not hold. */
  readonly notes: readonly string[]
}

/** A document of more bytes is not read. */
const maxDocument = 1024 * 1024
/** Objects of fewer bytes are fetched together: they lie next to each other. */
const small = 64 * 1024
const maxManifests = 32
const maxLayers = 256
const digestPattern = /^sha256:[0-9a-f]{64}$/

async function sha256(bytes: Uint8Array): Promise<string> {
  return `sha256:${hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))))}`
}

const textOrNull = (value: unknown, length = 256): string | null =>
  typeof value === 'string' && value !== '' ? value.slice(0, length) : null

const cosignName = /^_cosign:(sha256-[0-9a-f]{64}\.(?:sig|att))$/

interface Documents {
  /**
   * The JSON document of a digest; undefined where it is not there, too large, or not what its
   * digest says.
   */
  read(digest: string): Promise<unknown>
  readonly notes: string[]
}

function documentsOf(pieces: Pieces, blobs: readonly SifObject[]): Documents {
  const places = new Map<string, ByteSpan>()
  for (const object of blobs) if (object.digest !== undefined) places.set(object.digest, object)
  const notes: string[] = []
  const note = (text: string): undefined => {
    if (notes.length < 16) notes.push(text)
    return undefined
  }
  return {
    notes,
    read: async (digest) => {
      const span = digestPattern.test(digest) ? places.get(digest) : undefined
      const shown = JSON.stringify(digest.slice(0, 80))
      if (span === undefined) return note(`the OCI blob ${shown} is not in the file`)
      if (span.size > maxDocument) return note(`the OCI blob ${shown} is too large to be read`)
      await pieces.fetch([span])
      const bytes = pieces.get(span)
      if (bytes === undefined) return note(`the OCI blob ${shown} was not read`)
      if ((await sha256(bytes)) !== digest) return note(`the OCI blob ${shown} has other bytes than its digest says`)
      return parseJson(bytes) ?? note(`the OCI blob ${shown} is no JSON`)
    },
  }
}

function layerOf(value: unknown): OciLayer {
  const { mediaType, digest, size } = membersOf(value)
  return {
    mediaType: textOrNull(mediaType),
    digest: textOrNull(digest) ?? '',
    size: typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : null,
  }
}

async function manifestOf(entry: Readonly<Record<string, unknown>>, documents: Documents): Promise<OciManifest> {
  const digest = textOrNull(entry.digest) ?? ''
  const manifest = membersOf(await documents.read(digest))
  const configDigest = textOrNull(membersOf(manifest.config).digest)
  const config = configDigest === null ? {} : membersOf(await documents.read(configDigest))
  return {
    digest,
    mediaType: textOrNull(entry.mediaType ?? manifest.mediaType),
    artifactType: textOrNull(manifest.artifactType ?? entry.artifactType),
    arch: textOrNull(config.architecture, 32),
    os: textOrNull(config.os, 32),
    layers: listOf(manifest.layers).slice(0, maxLayers).map(layerOf),
    labels: textsOf(membersOf(config.config).Labels)?.texts ?? null,
  }
}

/**
 * undefined where the file is no OCI-SIF. Three small documents after the layers: one read for most
 * files.
 */
export async function readOci(pieces: Pieces, objects: readonly SifObject[]): Promise<OciFacts | undefined> {
  const root = objects.find(({ type }) => type === 'oci-root-index')
  if (root === undefined) return undefined
  const blobs = objects.filter(({ type }) => type === 'oci-blob')
  if (root.size > maxDocument)
    return { manifests: [], cosign: [], notes: ['the OCI root index is too large to be read'] }
  await pieces.fetch([root, ...blobs.filter(({ size }) => size <= small)])
  const documents = documentsOf(pieces, blobs)
  const bytes = pieces.get(root)
  const index = membersOf(parseJson(bytes))
  if (bytes === undefined || (await sha256(bytes)) !== root.digest)
    documents.notes.push('the OCI root index has other bytes than its digest says')
  const manifests: OciManifest[] = []
  const cosign: string[] = []
  for (const each of listOf(index.manifests)) {
    const entry = membersOf(each)
    const name = membersOf(entry.annotations)['org.opencontainers.image.ref.name']
    const signed = typeof name === 'string' ? cosignName.exec(name)?.[1] : undefined
    if (manifests.length + cosign.length === maxManifests) {
      documents.notes.push(`of the OCI root index ${maxManifests} entries are shown`)
      break
    }
    if (signed === undefined) manifests.push(await manifestOf(entry, documents))
    else cosign.push(signed)
  }
  return { manifests, cosign, notes: documents.notes }
}
