/**
 * StorageBackend: bytes by key.
 *
 * A backend knows keys, bytes and digests. It knows no image, no tag and no HTTP status. The
 * registry keeps these promises towards a backend, and the conformance suite in
 * `sif-library/testing` holds a backend to its own:
 *
 * - keys are written by the registry (see `blobs/keys.ts` in the core) and are relative, `/`-separated, made of `[A-Za-z0-9._-]`
 *   segments; never empty, `.` or `..`;
 * - a key is written at most once; after it was deleted it is never used again;
 * - nothing is readable under a key before `put` or `multipart.complete` resolves, and a failed write leaves nothing readable.
 *
 * A capability is a member that is present or absent; the registry asks
 * `storage.presign !== undefined` and never a flag.
 */

/**
 * Bytes of a blob, in order. A chunk belongs to the receiver once it is yielded. A receiver that is
 * done with a chunk may hand it back as the argument of the following `next` (`for await` never
 * does); the stream may then use its memory again.
 */
export type ByteStream = AsyncIterable<Uint8Array>

/** `start` and `end` are inclusive and 0-based, as in RFC 9110 14.1.2. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export interface BlobStat {
  /** Bytes. */
  readonly size: number
  /** When the blob became readable, if the backend knows. */
  readonly modifiedAt?: Date
}

export interface BlobContent {
  /** Bytes that `body` will yield: the length of the range, or of the whole blob. */
  readonly length: number
  /** Bytes of the whole blob. */
  readonly size: number
  /** Opened when iteration starts at the latest; returning early from the iteration closes it. */
  readonly body: ByteStream
}

export interface PutOptions {
  /** Bytes to come. More or fewer is `size-mismatch`. */
  readonly size: number
  /** Lower-case hex SHA-256 of the bytes. Other bytes are `digest-mismatch`. */
  readonly sha256: string
  readonly signal?: AbortSignal
}

export interface StorageLimits {
  /** Smallest part in bytes that may be followed by another one. */
  readonly minPartSize: number
  /** Largest part in bytes. */
  readonly maxPartSize: number
  /** Parts of one upload at the most. */
  readonly maxParts: number
  /** Bytes of one `put` at the most. */
  readonly maxPutSize: number
}

/**
 * What the backend needs to find one multipart upload again: both were given or returned at
 * `create`.
 */
export interface MultipartRef {
  readonly key: string
  readonly uploadId: string
}

export interface CreateMultipartOptions {
  /** Bytes of the whole. */
  readonly size: number
  /** Bytes of every part but the last. */
  readonly partSize: number
  /**
   * Lower-case hex SHA-256 of the whole, which comes as one part. A backend whose store holds
   * presigned URLs to their bytes may then take no other bytes for the part, and count them as
   * proven at `complete`.
   */
  readonly sha256?: string
}

export interface WritePartOptions extends MultipartRef {
  /** 1-based. */
  readonly partNumber: number
  /** Bytes of this part. More or fewer is `size-mismatch`. */
  readonly size: number
  /** Bytes of every part but the last, as at `create`: part k starts at `(k - 1) * partSize`. */
  readonly partSize: number
  /**
   * Lower-case hex SHA-256 of this part; other bytes are `digest-mismatch`. Absent when the client
   * sent none.
   */
  readonly sha256?: string
  readonly signal?: AbortSignal
}

export interface PartStat {
  readonly partNumber: number
  readonly size: number
  /** Opaque, without quotes. Compared with what the client claims at `complete`. */
  readonly etag: string
}

export interface CompleteMultipartOptions extends MultipartRef {
  /** Ascending and without a gap from part 1. */
  readonly parts: readonly { readonly partNumber: number; readonly etag: string }[]
  /** Bytes of the whole; another sum is `size-mismatch`. */
  readonly size: number
  /** Lower-case hex SHA-256 of the whole. */
  readonly sha256: string
  readonly signal?: AbortSignal
}

/**
 * How far the bytes under a key are proven. `unproven`: readable, but its SHA-256 is not checked
 * yet (see `prove`).
 */
export type Proof = 'proven' | 'unproven'

/**
 * Where the finished bytes lie; `key` may differ from the key of the upload where the backend moves
 * what it publishes.
 */
export interface FinishedBlob {
  readonly key: string
  readonly proof: Proof
}

export interface MultipartCapability {
  /** Starts an upload. `uploadId` is the backend's own word for it, at most 1024 characters. */
  create(key: string, options: CreateMultipartOptions): Promise<{ readonly uploadId: string }>
  /**
   * Writes one part through this process. Absent when parts can only be sent to a presigned URL. A
   * part that is sent again replaces the earlier one; a failed one leaves the earlier one, or none.
   * Parts may arrive in any order and at the same time. Errors: `upload-not-found`,
   * `upload-exhausted` (its parts were written so often that what is remembered of them would grow
   * without end), `size-mismatch`, `digest-mismatch`, `aborted`.
   */
  writePart?(body: ByteStream, options: WritePartOptions): Promise<PartStat>
  /** Parts that arrived whole, ascending. Errors: `upload-not-found`. */
  listParts(upload: MultipartRef): Promise<readonly PartStat[]>
  /**
   * Joins the parts; the blob is readable under the returned key afterwards, and the upload is
   * gone. Errors: `invalid-part` (missing part or another etag), `size-mismatch`, `digest-mismatch`
   * (nothing is readable then, and the registry aborts what is left of the upload),
   * `upload-not-found`. When it was completed before, either that (the registry then looks with
   * `stat` and proves what it finds), or the same answer again, if the backend proves the joined
   * bytes again.
   */
  complete(options: CompleteMultipartOptions): Promise<FinishedBlob>
  /** Ends an upload and drops its parts; one that does not exist is no error. */
  abort(upload: MultipartRef): Promise<void>
  /**
   * Uploads under way, for the sweeper. A backend that cannot list them reliably yields what it
   * finds.
   */
  listUploads(): AsyncIterable<MultipartRef & { readonly createdAt: Date }>
}

export interface PresignedUrl {
  readonly url: string
  /** Headers that the client must send exactly so, lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly expiresAt: Date
}

export interface PresignPartOptions extends MultipartRef {
  readonly partNumber: number
  readonly size: number
  /** Absent when the client sent none: the URL is then not bound to a digest. */
  readonly sha256?: string
  readonly expiresSeconds: number
}

export interface PresignGetOptions {
  readonly expiresSeconds: number
  /** A browser saves the blob under this name. */
  readonly filename?: string
}

/** The client talks to the object store itself, by URLs signed for the store's public endpoint. */
export interface PresignCapability {
  /**
   * Whether the store itself refuses bytes that differ from the signed SHA-256 (found by trying, at
   * `ready` at the latest). False means that parts are offered as not S3-compliant (protocol 5.11)
   * and that bytes are proven at the end.
   */
  readonly bindsPayload: boolean
  /**
   * Why clients must not send bytes to the store themselves (a URL would let them do more than
   * that); uploads then go through this server. Found by trying, at `ready` at the latest.
   * undefined: they may.
   */
  readonly uploadsBlocked?: string | undefined
  get(key: string, options: PresignGetOptions): Promise<PresignedUrl>
  /**
   * URL for one part; a file that comes in one PUT is an upload of one part. Absent: clients only
   * read by URL. After `complete` or `abort` it must lead nowhere. Errors: `unsupported` while
   * `uploadsBlocked`.
   */
  part?(options: PresignPartOptions): Promise<PresignedUrl>
}

export interface StorageCheck {
  readonly ok: boolean
  /** For people: what is wrong, or what was found. */
  readonly message: string
}

export interface StorageBackend {
  /** For people and logs: `memory`, `filesystem`, `s3`. */
  readonly name: string
  readonly limits: StorageLimits
  /**
   * Prepares the backend (folders, bucket). Called once before the first use; must be safe to call
   * on many instances at once.
   */
  ready?(): Promise<void>
  /**
   * Writes a blob. Errors: `exists` (a key is immutable), `size-mismatch`, `digest-mismatch`,
   * `aborted`, `no-space`, `unavailable`.
   */
  put(key: string, body: ByteStream, options: PutOptions): Promise<void>
  /** Reads a blob or a range of it. Errors: `not-found`, `invalid-range` (start past the end). */
  get(key: string, options?: { readonly range?: ByteRange; readonly signal?: AbortSignal }): Promise<BlobContent>
  /** undefined when there is none. */
  stat(key: string): Promise<BlobStat | undefined>
  /** Idempotent. A read that is under way ends whole where the backend can do that. */
  delete(key: string): Promise<void>
  /** Keys that start with `prefix`, in any order; no bytes of unfinished writes. */
  list(prefix: string): AsyncIterable<{ readonly key: string; readonly size: number; readonly modifiedAt: Date }>
  readonly multipart?: MultipartCapability
  readonly presign?: PresignCapability
  /**
   * Proves that `key` holds exactly these bytes, which came lately: reading them back where there
   * is no cheaper way. Absent: the registry reads through `get`, as it does whenever what was
   * proven once is read again. Errors: `not-found`, `size-mismatch`, `digest-mismatch`.
   */
  prove?(key: string, options: PutOptions): Promise<void>
  /**
   * Removes temporary leftovers of crashed writes that are older than `olderThan`; returns how
   * many. `isInUse` says of a key that its upload is under way: some stores date what lies there by
   * the start of the upload. Goes on past what it cannot remove, and throws the first error at the
   * end.
   */
  sweepTemporary?(olderThan: Date, options?: { readonly isInUse?: (key: string) => Promise<boolean> }): Promise<number>
  /**
   * Whether the backend answers now. Never throws. `signal` fires when nobody waits for the answer
   * any more.
   */
  check?(options?: { readonly signal?: AbortSignal }): Promise<StorageCheck>
  close?(): Promise<void>
}
