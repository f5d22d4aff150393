import assert from 'node:assert/strict'
import type {
  ByteStream,
  FinishedBlob,
  MultipartCapability,
  MultipartRef,
  PartStat,
} from '../../storage/blob/contract.js'
import { isStorageError, type StorageErrorCode } from '../../storage/blob/errors.js'
import type { StorageContext } from './context.js'
import { assertStorageError, makeBytes, sha256, streamBytes } from './fixtures.js'

/** The store behind a presigned URL answered something else than 2xx. */
export class PartRefused extends Error {
  override readonly name = 'PartRefused'
}

export interface SendPartOptions {
  /** What is sent; default: the right bytes of this part. */
  readonly bytes?: Uint8Array
  /** What is announced; default: size and SHA-256 of `bytes`. `null` announces no SHA-256. */
  readonly size?: number
  readonly sha256?: string | null
}

/** An upload of `bytes` in a test. */
export class TestUpload implements MultipartRef {
  readonly key: string
  readonly uploadId: string
  readonly bytes: Buffer
  readonly partSize: number
  readonly #context: StorageContext

  constructor(context: StorageContext, upload: MultipartRef & { readonly bytes: Buffer; readonly partSize: number }) {
    this.#context = context
    this.key = upload.key
    this.uploadId = upload.uploadId
    this.bytes = upload.bytes
    this.partSize = upload.partSize
  }

  get ref(): MultipartRef {
    return { key: this.key, uploadId: this.uploadId }
  }

  get partNumbers(): number[] {
    return Array.from({ length: Math.ceil(this.bytes.length / this.partSize) }, (_, index) => index + 1)
  }

  part(partNumber: number): Buffer {
    return this.bytes.subarray((partNumber - 1) * this.partSize, partNumber * this.partSize)
  }

  /** Sends one part, through `writePart` or to a presigned URL. */
  async send(partNumber: number, options: SendPartOptions = {}): Promise<PartStat> {
    const bytes = options.bytes ?? this.part(partNumber)
    const digest = options.sha256 === null ? undefined : (options.sha256 ?? sha256(bytes))
    const size = options.size ?? bytes.length
    const { multipart, presign } = this.#context.backend
    if (multipart?.writePart !== undefined) {
      const announced = { ...this.ref, partNumber, size, partSize: this.partSize }
      return multipart.writePart(
        streamBytes(bytes, [65_536, 1000]),
        digest === undefined ? announced : { ...announced, sha256: digest },
      )
    }
    assert.ok(presign?.part, 'a backend with multipart has writePart or presign.part')
    const signed = await presign.part({
      ...this.ref,
      partNumber,
      size,
      expiresSeconds: 300,
      sha256: digest,
    })
    const response = await fetch(signed.url, {
      method: 'PUT',
      headers: { ...signed.headers },
      body: Uint8Array.from(bytes),
    })
    const answer = await response.text()
    if (!response.ok) throw new PartRefused(`${response.status} ${answer.slice(0, 200)}`)
    return { partNumber, size: bytes.length, etag: (response.headers.get('etag') ?? '').replaceAll('"', '') }
  }

  async sendAll(partNumbers: readonly number[] = this.partNumbers): Promise<void> {
    for (const partNumber of partNumbers) await this.send(partNumber)
  }

  /** Completes with what `listParts` says, unless told otherwise. */
  async complete(
    claim: { readonly parts?: readonly PartStat[]; readonly size?: number; readonly sha256?: string } = {},
  ): Promise<FinishedBlob> {
    const multipart = requireMultipart(this.#context)
    const parts = (claim.parts ?? (await multipart.listParts(this.ref))).map(({ partNumber, etag }) => ({
      partNumber,
      etag,
    }))
    return multipart.complete({
      ...this.ref,
      parts,
      size: claim.size ?? this.bytes.length,
      sha256: claim.sha256 ?? sha256(this.bytes),
    })
  }

  /**
   * Completes, and expects `bytes` (default: those of the upload) to be there and proven, or
   * provable.
   */
  async completeWhole(bytes: Buffer = this.bytes): Promise<string> {
    const { backend } = this.#context
    const announced = { size: bytes.length, sha256: sha256(bytes) }
    const finished = await this.complete(announced)
    this.#context.expectListed(finished.key)
    if (finished.proof === 'unproven') await backend.prove?.(finished.key, announced)
    await this.#context.assertHolds(finished.key, bytes)
    return finished.key
  }
}

export function requireMultipart(context: StorageContext): MultipartCapability {
  assert.ok(context.backend.multipart, 'the backend has multipart')
  return context.backend.multipart
}

/** Parts of the smallest legal size, at least 128 KiB; the last one is shorter. */
export async function startUpload(
  context: StorageContext,
  shape: { readonly parts?: number; readonly key?: string; readonly seed?: number } = {},
): Promise<TestUpload> {
  const partSize = Math.max(context.backend.limits.minPartSize, 131_072)
  const bytes = makeBytes(((shape.parts ?? 3) - 1) * partSize + 12_345, shape.seed)
  const key = shape.key ?? context.nextKey()
  const { uploadId } = await requireMultipart(context).create(key, { size: bytes.length, partSize })
  assert.ok(uploadId.length > 0 && uploadId.length <= 1024, 'uploadId is 1 to 1024 characters long')
  const upload = new TestUpload(context, { key, uploadId, bytes, partSize })
  context.trackUpload(upload.ref)
  return upload
}

/**
 * A part that must be refused: with the code by `writePart`, by an HTTP status behind a presigned
 * URL.
 */
export async function assertPartRefused(
  context: StorageContext,
  code: StorageErrorCode,
  action: Promise<unknown>,
): Promise<void> {
  const error = await action.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof PartRefused) return
  if (isStorageError(error) || error === undefined)
    await assertStorageError(context.backend, code, error === undefined ? action : Promise.reject(error))
  else throw error
}

/** Sends a part by a body that the test controls; only through `writePart`. */
export function writeBody(
  context: StorageContext,
  upload: TestUpload,
  options: { readonly partNumber: number; readonly body: ByteStream; readonly signal?: AbortSignal },
): Promise<PartStat> {
  const { writePart } = requireMultipart(context)
  assert.ok(
    writePart,
    'the backend has writePart (list this test under skip where parts can only be sent to a presigned URL)',
  )
  const { partNumber, body, signal } = options
  const announced = {
    ...upload.ref,
    partNumber,
    size: upload.part(partNumber).length,
    partSize: upload.partSize,
    sha256: sha256(upload.part(partNumber)),
  }
  return writePart.call(context.backend.multipart, body, signal === undefined ? announced : { ...announced, signal })
}
