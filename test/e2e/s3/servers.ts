import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { describe, test } from 'vitest'
import { type RunningS3Server, S3ServerMissing } from '../../../scripts/s3-servers.mjs'
import { type S3Storage, type S3StorageOptions, s3Storage } from '../../../src/storage/blob/s3/index.js'

/** Starts a server, or says aloud that its tests are skipped (a failure with SIF_LIBRARY_TEST_REQUIRE_ALL=1). */
export async function startOrSkip<Server extends RunningS3Server>(
  name: string,
  start: () => Promise<Server>,
): Promise<Server | undefined> {
  try {
    return await start()
  } catch (error) {
    if (!(error instanceof S3ServerMissing) || process.env.SIF_LIBRARY_TEST_REQUIRE_ALL === '1') throw error
    console.warn(`SKIPPED: the tests on ${name}: ${error.message}`)
    return undefined
  }
}

/** A group of tests on a server, skipped where there is none. */
export function describeOn(
  server: RunningS3Server | undefined,
  name: string,
  body: (server: RunningS3Server) => void,
): void {
  if (server === undefined) describe.skip(name, () => test('needs a server that is not on this machine', () => {}))
  else describe(name, () => body(server))
}

/** A backend over a running server, with a prefix of its own unless one is given. */
export function storageOn(server: RunningS3Server, options: Partial<S3StorageOptions> = {}): S3Storage {
  const { accessKeyId, secretAccessKey, endpoint, region } = server
  return s3Storage({
    bucket: 'sif-library',
    prefix: `t-${randomUUID()}`,
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    ...options,
  })
}

export interface TestBytes {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly size: number
  readonly sha256: string
}

export function testBytes(size: number): TestBytes {
  return describeBytes(new Uint8Array(randomBytes(size)))
}

export function describeBytes(bytes: Uint8Array<ArrayBuffer>): TestBytes {
  return { bytes, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

export async function* stream(bytes: Uint8Array, chunk = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk)
}

export async function readAll(body: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return new Uint8Array(Buffer.concat(chunks))
}

/** SHA-256 of a blob as it is read; comparing long arrays with `expect` takes a minute. */
export async function readDigest(storage: S3Storage, key: string): Promise<string> {
  return describeBytes(await readAll((await storage.get(key)).body)).sha256
}

export const MiB: number = 1024 ** 2
