/** What signature objects claim: nothing here is proven. */
import type { SifLink, SifObject } from './layout.js'
import type { Pieces } from './source.js'

/**
 * `legacy`: of Singularity 3.5 and older, over data alone. `unknown`: neither of the others, or not
 * read.
 */
export type SifSignatureFormat = 'pgp' | 'dsse' | 'legacy' | 'unknown'

export interface SifSignature {
  readonly object: number
  readonly format: SifSignatureFormat
  /** What it says that it signs. */
  readonly covers: SifLink | null
  readonly hash: string
  /** Of the key, as the descriptor claims: 40 upper-case hex digits; null = none, as for DSSE. */
  readonly claimedFingerprint: string | null
}

/** Signatures that are read; a file with more is judged as one that was not read. */
export const maxSignatures = 64
const maxSignatureBytes = 1024 * 1024
const dssePayloadType = 'application/vnd.sylabs.sif-metadata+json'

const decoder = new TextDecoder()

const clearSigned = '-----BEGIN PGP SIGNED MESSAGE-----'

function signatureFormatOf(bytes: Uint8Array | undefined): SifSignatureFormat {
  if (bytes === undefined) return 'unknown'
  const text = decoder.decode(bytes)
  try {
    const envelope: unknown = JSON.parse(text)
    const isEnvelope = typeof envelope === 'object' && envelope !== null && 'payloadType' in envelope
    return isEnvelope && envelope.payloadType === dssePayloadType ? 'dsse' : 'unknown'
  } catch {
    const at = text.indexOf(clearSigned)
    if (at < 0) return 'unknown'
    // header lines, a blank line, then the text
    const body = /\r?\n\r?\n/.exec(text.slice(at))
    const start =
      body === null ? '' : text.slice(at + body.index + body[0].length, at + body.index + body[0].length + 8)
    return start === 'SIFHASH:' ? 'legacy' : 'pgp'
  }
}

/** Those that are read. */
export function readableSignatures(objects: readonly SifObject[]): readonly SifObject[] {
  return objects.filter(({ type, size }) => type === 'signature' && size <= maxSignatureBytes).slice(0, maxSignatures)
}

export function claimedSignatures(pieces: Pieces, objects: readonly SifObject[]): readonly SifSignature[] {
  return objects
    .filter(({ type }) => type === 'signature')
    .slice(0, maxSignatures)
    .map((object) => ({
      object: object.id,
      format: signatureFormatOf(pieces.get(object)),
      covers: object.link,
      hash: object.signature?.hash ?? 'unknown',
      claimedFingerprint: object.signature?.fingerprint ?? null,
    }))
}
