import type { S3, S3ClientConfig } from '@aws-sdk/client-s3'
import { StorageError } from '../errors.js'
import { watchBucket } from './bucket-presence.js'
import type { S3LogEntry } from './call-log.js'
import { factsOf, storageErrorFrom } from './errors.js'
import type { ResolvedS3Options, S3Credentials } from './options.js'
import { importPeer } from './peers.js'
import { refusedRequest, rememberRefusal } from './refusals.js'

export type S3Sdk = typeof import('@aws-sdk/client-s3')

export interface S3Call {
  readonly operation: string
  /** Key of the registry, for the error. */
  readonly key?: string
  /** Name of the object, for the log. */
  readonly object?: string
  readonly signal?: AbortSignal
  /**
   * How long the store may take. `prompt` is for what a client waits for: `timeouts.answerSeconds`.
   * `small` is what nobody waits for, and the begin of an answer that is read: `requestSeconds`.
   * Both count all tries together. `body` sends bytes and ends by `idleSeconds`, `finish` is silent
   * for long: `finishSeconds`. Default `small`.
   */
  readonly pace?: 'prompt' | 'small' | 'body' | 'finish'
  /**
   * The call names an upload. What it does not find is the upload, whatever the store calls it:
   * Ceph and Swift say NoSuchKey.
   */
  readonly namesUpload?: boolean
  /**
   * The key may well be absent, and nothing is given up for lost when it is: a bucket that answered
   * a moment ago is not asked again.
   */
  readonly mayBeAbsent?: boolean
}

export interface S3CallOptions {
  readonly abortSignal?: AbortSignal
}

/**
 * The SDK's clients, made on first use, and the one place where a call is sent, timed, logged and
 * its error translated.
 */
export interface S3Connection {
  readonly bucket: string
  call<T>(call: S3Call, send: (s3: S3, options: S3CallOptions, sdk: S3Sdk) => Promise<T>): Promise<T>
  /** Credentials for a presigned URL, from the same provider and cache as the calls. */
  credentials(): Promise<S3Credentials>
  /** Those of the option `uploadCredentials`, cached alike; those of the calls without it. */
  uploadCredentials(): Promise<S3Credentials>
  region(): Promise<string>
  /** URL of the bucket at an endpoint (undefined: AWS itself), by the SDK's own endpoint rules. */
  bucketUrl(endpoint: string | undefined): Promise<URL>
  /**
   * Sends a presigned PUT through the SDK's HTTP handler, which knows the CA, the pool and the
   * timeouts; returns the status.
   */
  sendSigned(put: SignedPut): Promise<number>
  close(): void
}

export interface SignedPut {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** For the log. */
  readonly object: string
  readonly canonical: () => string | undefined
}

interface Clients {
  readonly sdk: S3Sdk
  readonly quick: S3
  /**
   * Its own client, because the SDK's idle timeout belongs to a client and a join of parts is
   * silent for longer than a dead socket may be.
   */
  readonly slow: S3
  /** Sends nothing: keeps the upload credentials, and asks for new ones in time. */
  readonly uploads: S3
}

/** `bucketExists` is asked where only the presence of the bucket tells what an absent key means. */
export function connectS3(
  options: ResolvedS3Options,
  bucketExists: (connection: S3Connection) => Promise<boolean>,
): S3Connection {
  const { bucket, timeouts, log } = options
  let loading: Promise<Clients> | undefined
  const load = (): Promise<Clients> => {
    loading ??= importPeer('@aws-sdk/client-s3', () => import('@aws-sdk/client-s3')).then((sdk) => {
      const quick = new sdk.S3(clientConfig(options, timeouts.idleSeconds))
      const slow = new sdk.S3({
        ...clientConfig(options, timeouts.finishSeconds),
        credentials: quick.config.credentials,
      })
      const { uploadCredentials } = options
      const uploads =
        uploadCredentials === undefined
          ? quick
          : new sdk.S3(clientConfig({ ...options, credentials: uploadCredentials }, timeouts.idleSeconds))
      for (const client of [quick, slow])
        client.middlewareStack.add(rememberRefusal, { step: 'deserialize', name: 'rememberRefusal', priority: 'high' })
      return { sdk, quick, slow, uploads }
    })
    return loading
  }
  /**
   * Turns what the SDK throws before a request exists (no region, no credentials) into our error.
   */
  const configured = async <T>(operation: string, read: () => Promise<T>): Promise<T> => {
    try {
      return await read()
    } catch (error) {
      throw storageErrorFrom(error, { operation, bucket })
    }
  }

  const presence = watchBucket(() => bucketExists(connection))
  /**
   * An absent key or upload as what it is: no answer to HEAD says whether the key or the bucket is
   * missing, and MinIO calls a missing bucket NoSuchUpload.
   */
  const settleAbsence = async (failure: StorageError, call: S3Call, code: string): Promise<StorageError> => {
    const isOpen = (failure.code === 'not-found' && code !== 'NoSuchKey') || failure.code === 'upload-not-found'
    if (call.key === undefined || !isOpen || (await presence.exists({ lately: call.mayBeAbsent === true })))
      return failure
    const missing = Object.assign(new Error('the bucket does not exist'), { name: 'NoSuchBucket' })
    return storageErrorFrom(missing, { operation: call.operation, key: call.key, bucket })
  }

  const connection: S3Connection = {
    bucket,

    async call(call, send) {
      const { sdk, quick, slow } = await load()
      const started = performance.now()
      const entry = { operation: call.operation, bucket, object: call.object }
      const deadline = startDeadline(call, timeouts)
      try {
        const output = await send(
          call.pace === 'finish' ? slow : quick,
          deadline.signal === undefined ? {} : { abortSignal: deadline.signal },
          sdk,
        )
        log({ ...entry, ms: performance.now() - started, ...metadataOf(output) })
        // s3proxy deletes in a bucket that does not exist
        if (call.key !== undefined && call.operation !== 'DeleteObject') presence.confirm(started)
        return output
      } catch (thrown) {
        const error = deadline.failure() ?? thrown
        const { code } = factsOf(error)
        const canonical = refusedRequest(error)
        log({
          ...entry,
          ms: performance.now() - started,
          ...metadataOf(error),
          error: code,
          canonicalRequest: canonical,
        })
        if (call.signal?.aborted)
          throw new StorageError('aborted', `${call.operation} was aborted`, {
            backend: 's3',
            key: call.key,
            cause: call.signal.reason,
          })
        const failure = nameAbsence(
          call,
          storageErrorFrom(error, {
            operation: call.operation,
            bucket,
            key: call.key,
          }),
        )
        if (failure.code === 'unavailable') presence.reset()
        throw await settleAbsence(failure, call, code)
      } finally {
        deadline.clear()
      }
    },

    credentials: () => configured('reading credentials', async () => (await load()).quick.config.credentials()),
    uploadCredentials: () =>
      configured('reading the upload credentials', async () => (await load()).uploads.config.credentials()),
    region: () => configured('reading the region', async () => (await load()).quick.config.region()),

    bucketUrl: (endpoint) =>
      configured('resolving the endpoint', async () => {
        const { config } = (await load()).quick
        const found = config.endpointProvider({
          Bucket: bucket,
          Region: await config.region(),
          ForcePathStyle: options.pathStyle,
          UseFIPS: await config.useFipsEndpoint(),
          UseDualStack: await config.useDualstackEndpoint(),
          ...(endpoint === undefined ? {} : { Endpoint: endpoint }),
        })
        return new URL(found.url.href)
      }),

    async sendSigned({ url, headers, body, object, canonical }) {
      const { HttpRequest } = await importPeer('@smithy/protocol-http', () => import('@smithy/protocol-http'))
      const { protocol, hostname, port, pathname, searchParams } = new URL(url)
      const request = {
        method: 'PUT',
        protocol,
        hostname,
        path: pathname,
        query: Object.fromEntries(searchParams),
        headers: { ...headers },
        body,
      }
      const { quick } = await load()
      const started = performance.now()
      for (let attempt = 1; ; attempt += 1) {
        try {
          const { response } = await quick.config.requestHandler.handle(
            new HttpRequest({ ...request, ...(port === '' ? {} : { port: Number(port) }) }),
            {
              requestTimeout: timeouts.answerSeconds * 1000,
            },
          )
          response.body?.resume()
          const { statusCode: status } = response
          const refused = status === 403 ? { canonicalRequest: canonical() } : {}
          log({
            operation: 'presigned PUT',
            bucket,
            object,
            status,
            ms: performance.now() - started,
            attempts: attempt,
            ...refused,
          })
          return status
        } catch (error) {
          // a pooled socket that the store has closed is no answer yet
          if (attempt < options.maxAttempts && performance.now() - started < timeouts.answerSeconds * 500) continue
          log({
            operation: 'presigned PUT',
            bucket,
            object,
            error: factsOf(error).code,
            ms: performance.now() - started,
            attempts: attempt,
          })
          throw storageErrorFrom(error, { operation: 'presigned PUT', bucket })
        }
      }
    },

    close() {
      loading?.then(
        ({ quick, slow }) => {
          quick.destroy()
          slow.destroy()
        },
        // whoever used it was told why it could not be loaded
        () => {},
      )
      loading = undefined
    },
  }
  return connection
}

interface Deadline {
  /** Of the caller and of the deadline. */
  readonly signal: AbortSignal | undefined
  /** Why the call ended, where it was the deadline. */
  failure(): Error | undefined
  clear(): void
}

function startDeadline({ signal, pace = 'small' }: S3Call, timeouts: ResolvedS3Options['timeouts']): Deadline {
  if (pace !== 'prompt' && pace !== 'small') return { signal, failure: () => undefined, clear: () => {} }
  const seconds = pace === 'prompt' ? timeouts.answerSeconds : timeouts.requestSeconds
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), seconds * 1000)
  return {
    signal: signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]),
    failure: () =>
      late.signal.aborted && signal?.aborted !== true
        ? Object.assign(new Error(`no answer within ${seconds} s`), { name: 'TimeoutError' })
        : undefined,
    clear: () => clearTimeout(timer),
  }
}

function nameAbsence({ namesUpload = false, key }: S3Call, failure: StorageError): StorageError {
  if (!namesUpload || failure.code !== 'not-found') return failure
  return new StorageError('upload-not-found', failure.message.replace(/^s3: /, ''), {
    backend: 's3',
    key,
    cause: failure.cause,
  })
}

const quiet = (): void => {}
const SILENT = { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet }

function clientConfig(options: ResolvedS3Options, idleSeconds: number): S3ClientConfig {
  const { credentials, region, endpoint, timeouts, connections, ca } = options
  return {
    // the SDK looks whether they are there
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined
      ? {}
      : { credentials: typeof credentials === 'function' ? async () => credentials() : credentials }),
    forcePathStyle: options.pathStyle,
    maxAttempts: options.maxAttempts,
    // otherwise the SDK writes to the console; `log` has it all
    logger: SILENT,
    // Newer SDKs add a CRC32 to every upload and, streaming, an encoding with trailers that
    // imitators of S3 refuse.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // With it the SDK opens a socket per upload and forgets the CA on it.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: timeouts.connectSeconds * 1000,
      socketTimeout: idleSeconds * 1000,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: connections },
      httpsAgent: {
        keepAlive: true,
        maxSockets: connections,
        ...(ca === undefined ? {} : { ca: typeof ca === 'string' ? ca : Buffer.from(ca) }),
      },
    },
  }
}

function metadataOf(value: unknown): Pick<S3LogEntry, 'status' | 'requestId' | 'attempts'> {
  const metadata =
    (value as { $metadata?: { httpStatusCode?: number; requestId?: string; attempts?: number } } | undefined)
      ?.$metadata ?? {}
  return {
    ...(metadata.httpStatusCode === undefined ? {} : { status: metadata.httpStatusCode }),
    ...(metadata.requestId === undefined ? {} : { requestId: metadata.requestId }),
    ...(metadata.attempts === undefined ? {} : { attempts: metadata.attempts }),
  }
}
