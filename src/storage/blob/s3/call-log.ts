/**
 * One call to the store or one presigned URL, for a debug log. Holds no signature, no secret and no
 * signed query.
 */
export interface S3LogEntry {
  /** The S3 operation, or `presign GET`, `presign PUT`, `presign PUT part`. */
  readonly operation: string
  readonly bucket: string
  /** Name of the object in the bucket, where the call has one. */
  readonly object?: string
  readonly ms: number
  readonly status?: number
  /** The store's id of the request: what its own log and its support ask for. */
  readonly requestId?: string
  readonly attempts?: number
  /** The store's or the network's error code of a call that failed. */
  readonly error?: string
  /** Of a presigned URL: host and header names that the signature covers. */
  readonly signed?: string
  /**
   * What was signed (AWS "Create a signed AWS API request", step 1), without signature, key and
   * token: of each presigned URL, and of a call that the store refused with SignatureDoesNotMatch.
   * Lines separated by `\n`.
   */
  readonly canonicalRequest?: string | undefined
}
