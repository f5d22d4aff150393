import { readFileSync } from 'node:fs'
import { StorageError } from '../errors.js'
import { resolveS3Options, type S3StorageOptions } from './options.js'

const PARAMETERS = [
  'endpoint',
  'publicEndpoint',
  'region',
  'pathStyle',
  'ca',
  'verify',
  'bindPayload',
  'createBucket',
  'storageClass',
  'serverSideEncryption',
  'kmsKeyId',
]

/**
 * Reads
 * `s3://BUCKET[/PREFIX]?endpoint=URL&publicEndpoint=URL&region=us-east-1&pathStyle=true&ca=FILE`;
 * further parameters are the options of the same name (`verify`, `bindPayload`, `createBucket`,
 * `storageClass`, `serverSideEncryption`, `kmsKeyId`). Credentials are never part of the URL. `ca`
 * names a PEM file, which is read here. Throws StorageError `unsupported` that names what is wrong.
 */
export function s3OptionsFromUrl(text: string): S3StorageOptions {
  const match = /^s3:\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/.exec(text)
  // the text itself is not repeated: somebody may have put a secret into it
  if (match === null) throw wrong('expected s3://BUCKET[/PREFIX][?endpoint=URL&…]')
  const [, bucket = '', path = '', search = ''] = match
  if (bucket === '') throw wrong('the bucket is missing: expected s3://BUCKET')
  if (bucket.includes('@'))
    throw wrong('credentials do not belong into the URL; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY')
  const query = new URLSearchParams(search)
  for (const name of query.keys())
    if (!PARAMETERS.includes(name))
      throw wrong(`unknown parameter ${JSON.stringify(name)}; known are ${PARAMETERS.join(', ')}`)
  for (const name of PARAMETERS) if (query.getAll(name).length > 1) throw wrong(`${name} is given twice`)
  const parameter = (name: string): string | undefined => query.get(name) ?? undefined
  const ca = parameter('ca')
  const options = {
    bucket,
    prefix: decodePath(path),
    endpoint: parameter('endpoint'),
    publicEndpoint: parameter('publicEndpoint'),
    region: parameter('region'),
    pathStyle: choice(query, 'pathStyle', BOOLEAN),
    ca: ca === undefined ? undefined : readCa(ca),
    verify: choice(query, 'verify', { read: 'read', store: 'store', background: 'background' } as const),
    bindPayload: choice(query, 'bindPayload', { ...BOOLEAN, probe: 'probe' } as const),
    createBucket: choice(query, 'createBucket', BOOLEAN),
    storageClass: parameter('storageClass'),
    serverSideEncryption: choice(query, 'serverSideEncryption', { AES256: 'AES256', 'aws:kms': 'aws:kms' } as const),
    kmsKeyId: parameter('kmsKeyId'),
  }
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined && value !== ''),
  ) as unknown as S3StorageOptions
  resolveS3Options(given)
  return given
}

const BOOLEAN = { true: true, false: false } as const

function choice<T>(query: URLSearchParams, name: string, values: Readonly<Record<string, T>>): T | undefined {
  const given = query.get(name)
  if (given === null) return undefined
  if (!Object.hasOwn(values, given))
    throw wrong(`${name} must be ${Object.keys(values).join(' or ')}, not ${JSON.stringify(given)}`)
  return values[given]
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path.replace(/^\/+|\/+$/g, ''))
  } catch {
    throw wrong('the prefix is not well percent-encoded')
  }
}

function readCa(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new StorageError('unsupported', `s3 URL: ca: cannot read ${file}`, { backend: 's3', cause })
  }
}

function wrong(message: string): StorageError {
  return new StorageError('unsupported', `s3 URL: ${message}`, { backend: 's3' })
}
