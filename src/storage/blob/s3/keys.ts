import { assertKey } from '../keys.js'

/**
 * Where uploads are joined that the store is to prove by copying them to their own key (`verify: 'store'`). It cannot
 * collide with a key of the registry, whose keys start with `blobs/`.
 */
const INCOMING = '.incoming/'

/** All keys of blobs start so; `records/` and the rest are written by this server alone. */
const UPLOADS = 'blobs/'

/** The store's name of an object: the backend's prefix, and whether the object lies at its own key or still at the entrance. */
export interface S3Keys {
  /** Object under which `key` is read. Throws `invalid-key`. */
  object(key: string): string
  /** Object into which unproven bytes for `key` are written. Throws `invalid-key`. */
  incoming(key: string): string
  /** Prefix of all objects whose key starts with `prefix`. */
  prefix(prefix: string): string
  /** Below these lies what upload URLs write. */
  readonly uploadPrefixes: readonly string[]
  /** What an object of this bucket is to us; undefined when it lies outside our prefix. */
  parse(object: string): { readonly key: string; readonly incoming: boolean } | undefined
}

export function createS3Keys(prefix: string): S3Keys {
  const base = prefix === '' ? '' : `${prefix}/`
  return {
    object: (key) => base + checkKey(key),
    incoming: (key) => base + INCOMING + checkKey(key),
    prefix: (part) => base + part,
    uploadPrefixes: [`${base}${UPLOADS}`, `${base}${INCOMING}${UPLOADS}`],
    parse(object) {
      if (!object.startsWith(base)) return undefined
      const rest = object.slice(base.length)
      return rest.startsWith(INCOMING)
        ? { key: rest.slice(INCOMING.length), incoming: true }
        : { key: rest, incoming: false }
    },
  }
}

export const INCOMING_PREFIX: string = INCOMING

function checkKey(key: string): string {
  // The entrance is not a key. Segments . and .. are refused by MinIO, and stored elsewhere by versitygw.
  assertKey(key.startsWith(INCOMING) ? '' : key, 's3')
  return key
}
