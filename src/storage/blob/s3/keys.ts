import { assertKey } from '../keys.js'

/**
 * Where uploads are joined that the store is to prove by copying them to their own key
 * (`verify: 'store'`). It cannot collide with a key of the registry, whose keys start with
 * `blobs/`.
 */
const STAGING = '.incoming/'

/** All keys of blobs start so; `records/` and the rest are written by this server alone. */
const UPLOADS = 'blobs/'

/**
 * The store's name of an object: the backend's prefix, and whether the object lies at its own key
 * or still at the staging key.
 */
export interface S3Keys {
  /** Object under which `key` is read. Throws `invalid-key`. */
  object(key: string): string
  /** Object into which unproven bytes for `key` are written. Throws `invalid-key`. */
  staging(key: string): string
  /** Prefix of all objects whose key starts with `prefix`. */
  prefix(prefix: string): string
  /** Below these lies what upload URLs write. */
  readonly uploadPrefixes: readonly string[]
  /** What an object of this bucket is to us; undefined when it lies outside our prefix. */
  parse(object: string): { readonly key: string; readonly staged: boolean } | undefined
}

export function createS3Keys(prefix: string): S3Keys {
  const base = prefix === '' ? '' : `${prefix}/`
  return {
    object: (key) => base + checkKey(key),
    staging: (key) => base + STAGING + checkKey(key),
    prefix: (part) => base + part,
    uploadPrefixes: [`${base}${UPLOADS}`, `${base}${STAGING}${UPLOADS}`],
    parse(object) {
      if (!object.startsWith(base)) return undefined
      const rest = object.slice(base.length)
      return rest.startsWith(STAGING) ? { key: rest.slice(STAGING.length), staged: true } : { key: rest, staged: false }
    },
  }
}

export const STAGING_PREFIX: string = STAGING

function checkKey(key: string): string {
  // The staging key is not a key. Segments . and .. are refused by MinIO, and stored elsewhere by
  // versitygw.
  assertKey(key.startsWith(STAGING) ? '' : key, 's3')
  return key
}
