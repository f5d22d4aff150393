/** Query strings, as the clients really write them. */
import { LibraryError } from './errors.js'

export type Query = Readonly<Record<string, string | undefined>>

/**
 * Inherits nothing, yet is an object of the fast kind, which one made by `Object.create(null)` is
 * not.
 */
class Bare {
  [key: string]: string
}
Object.setPrototypeOf(Bare.prototype, null)
Reflect.deleteProperty(Bare.prototype, 'constructor')

const empty: Query = Object.freeze(new Bare())

function decode(text: string): string {
  // nearly all are plain
  if (!/[%+]/.test(text)) return text
  try {
    return decodeURIComponent(text.replace(/\+/g, ' '))
  } catch {
    throw new LibraryError('invalid-request', 'the query has a broken percent escape')
  }
}

/** Parses a raw query; of a repeated key the first value counts. */
export function parseQuery(raw: string): Query {
  if (raw === '') return empty
  const query = new Bare()
  for (const pair of raw.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    let key = decode(equals < 0 ? pair : pair.slice(0, equals))
    let value = equals < 0 ? '' : decode(pair.slice(equals + 1))
    // CLI 3.6.0-3.7.1 delete with `?arch%3Damd64`: a key that holds the whole pair (protocol 5.6)
    const inner = equals < 0 ? key.indexOf('=') : -1
    if (inner > 0) {
      value = key.slice(inner + 1)
      key = key.slice(0, inner)
    }
    query[key] ??= value
  }
  return query
}
