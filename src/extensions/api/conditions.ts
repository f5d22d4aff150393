/** ETags and conditions of requests (RFC 9110, section 13). */
import { createHash } from 'node:crypto'
import { LibraryError, type LibraryRequest } from '../../core/extension.js'

const header = ({ headers }: LibraryRequest, name: string): string | undefined => {
  const value = headers[name]
  return typeof value === 'object' ? value[0] : value
}

/**
 * The ETag of an answer. Its first part is the version of the object, which a change may name as
 * `If-Match`; the second one covers what changes without it, such as a count of pulls. The ETag of
 * a tag is the digest that it points at.
 */
export function etagOf(text: string, version: string | undefined): string {
  if (version !== undefined && /^[0-9a-f]{64}$/.test(version)) return `"${version}"`
  const hash = createHash('sha256').update(text).digest('base64url').slice(0, 16)
  return version === undefined ? `"${hash}"` : `"${version}.${hash}"`
}

/** Whether the client has this answer already. */
export function isKnown(request: LibraryRequest, etag: string): boolean {
  const given = header(request, 'if-none-match')
  if (given === undefined) return false
  return given.split(',').some((each) => each.trim().replace(/^W\//, '') === etag || each.trim() === '*')
}

/**
 * The version that `If-Match` names; undefined: any will do. Throws `invalid-request` for more than
 * one.
 */
export function versionSeen(request: LibraryRequest): { readonly ifMatch?: string } {
  const given = header(request, 'if-match')?.trim()
  if (given === undefined || given === '*') return {}
  const match = /^(?:W\/)?"([\w-]{1,100})(?:\.[\w-]{1,40})?"$/.exec(given)
  if (match?.[1] === undefined)
    throw new LibraryError('invalid-request', 'If-Match: expected one ETag, as this API gave it', { field: 'If-Match' })
  return { ifMatch: match[1] }
}

/**
 * Whether `If-None-Match: *` asks for something new. Throws `invalid-request` for anything else in
 * a change.
 */
export function mustBeNew(request: LibraryRequest): { readonly ifNoneMatch?: '*' } {
  const given = header(request, 'if-none-match')?.trim()
  if (given === undefined) return {}
  if (given !== '*')
    throw new LibraryError('invalid-request', 'If-None-Match: only * is of use here', { field: 'If-None-Match' })
  return { ifNoneMatch: '*' }
}
