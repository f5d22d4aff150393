/** Tokens, sessions and codes: random text that is shown once, and stored as a hash. */
import { hash, randomBytes } from 'node:crypto'
import type { TokenKind } from '../../storage/metadata/contract.js'

/**
 * In random bytes. `remote login --tokenfile` refuses tokens under 200 characters (protocol 6.3),
 * and 153 bytes give
 * 204. A session goes along with every request of a page, a code is part of a link.
 */
const lengths: Readonly<Record<TokenKind, number>> = { token: 153, session: 32, code: 24 }

/**
 * 192 random bits and more cannot be guessed, so one fast hash is enough at rest, and looking it up
 * by index reveals nothing.
 */
export const hashSecret = (secret: string): string => hash('sha256', secret)

export function newSecret(kind: TokenKind): string {
  return `${kind === 'token' ? 'sif_' : ''}${randomBytes(lengths[kind]).toString('base64url')}`
}
