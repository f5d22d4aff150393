/**
 * Cursors of searches and lists as clients see them: sealed, and good for one of them, of one
 * principal.
 *
 * The store's own cursor may count every row, hidden ones as well: two of them would tell how much
 * lies in between. Form: base64url of nonce, encrypted cursor and tag (AES-256-GCM).
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { LibraryError } from '../http/errors.js'

export interface Cursors {
  /** `scope` is what the cursor is good for: the same text opens it again. */
  seal(cursor: string, scope: string): string
  /** Throws `invalid-request` for what was not sealed here for this scope. */
  open(sealed: string, scope: string): string
}

const nonceBytes = 12
const tagBytes = 16
/** What is sealed is padded to a multiple of this, so that its length says nothing. */
const blockBytes = 32
/** Of what is sealed: a cursor of the store, and where a list stopped behind it. */
const maxCursorBytes = 4096
const lengthBytes = 2
const maxSealedCharacters = 6144

const refused = (cause?: unknown): LibraryError =>
  new LibraryError('invalid-request', 'page: is not the next page of this search: search again without it', { cause })

/** `secret` is asked once, on first use; instances that share it read each other's cursors. */
export function createCursors({ secret }: { readonly secret: () => string }): Cursors {
  let kept: Uint8Array | undefined
  const key = (): Uint8Array => {
    kept ??= new Uint8Array(hkdfSync('sha256', secret(), '', 'sif-library cursor v2', 32))
    return kept
  }
  return {
    seal: (cursor, scope) => {
      const length = Buffer.byteLength(cursor)
      if (length > maxCursorBytes)
        throw new Error(`a cursor of the metadata store has ${length} bytes: ${maxCursorBytes} at most`)
      const plain = Buffer.alloc(Math.ceil((length + lengthBytes) / blockBytes) * blockBytes)
      plain.writeUInt16BE(length)
      plain.write(cursor, lengthBytes)
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', key(), nonce).setAAD(Buffer.from(scope))
      return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString('base64url')
    },
    open: (sealed, scope) => {
      if (sealed.length > maxSealedCharacters || !/^[\w-]+$/.test(sealed)) throw refused()
      const bytes = Buffer.from(sealed, 'base64url')
      if (bytes.length < nonceBytes + blockBytes + tagBytes) throw refused()
      const decipher = createDecipheriv('aes-256-gcm', key(), bytes.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      })
      decipher.setAAD(Buffer.from(scope)).setAuthTag(bytes.subarray(-tagBytes))
      try {
        const plain = Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()])
        return plain.toString('utf8', lengthBytes, lengthBytes + plain.readUInt16BE())
      } catch (error) {
        throw refused(error)
      }
    },
  }
}
