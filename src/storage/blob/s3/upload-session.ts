import { createHash } from 'node:crypto'
import { StorageError } from '../errors.js'
import type { S3Context } from './context.js'
import { factsOf } from './errors.js'
import type { S3Credentials } from './options.js'
import { importPeer } from './peers.js'
import { sendPlain } from './request.js'

/** Limits of AssumeRole, in seconds (AWS "AssumeRole"; MinIO has the same). */
const SHORTEST_SECONDS = 900
const LONGEST_SECONDS = 604_800
/** A store that falls silent must not hold up a start, or an upload. */
const IDLE_MS = 10_000
/** A session outlives the URLs that it signs by at least so many seconds. */
const MARGIN_SECONDS = 300
/** After a failed renewal, an old session still serves URLs of at least so many seconds. */
const RESCUE_SECONDS = 60

export type S3Session = S3Credentials & { readonly expiration: Date }

/**
 * What a session may do: write below `blobs/`, and nothing else. The second statement holds against
 * whatever else would allow a read, such as a bucket that everybody may read. (MinIO refuses
 * `NotAction`, which would say it shorter.)
 */
export function uploadPolicy({ connection, keys }: Pick<S3Context, 'connection' | 'keys'>): object {
  const below = (object: string): string => `arn:aws:s3:::${connection.bucket}/${object}`
  return {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: ['s3:PutObject'], Resource: keys.uploadPrefixes.map((prefix) => below(`${prefix}*`)) },
      { Effect: 'Deny', Action: ['s3:Get*', 's3:List*', 's3:Delete*'], Resource: ['arn:aws:s3:::*'] },
    ],
  }
}

/**
 * Opens a session that may only write uploads, by AssumeRole at the store's own endpoint (AWS
 * "AssumeRole"; MinIO serves it for every user, and takes any role). undefined: this store gives
 * none. Throws `unavailable` where it did not answer, or had no time.
 */
export async function openUploadSession(context: S3Context, seconds: number): Promise<S3Session | undefined> {
  const { options, connection } = context
  const [{ SignatureV4 }, { HttpRequest }, sha256, region, credentials] = await Promise.all([
    importPeer('@smithy/signature-v4', () => import('@smithy/signature-v4')),
    importPeer('@smithy/protocol-http', () => import('@smithy/protocol-http')),
    context.sha256(),
    connection.region(),
    connection.credentials(),
  ])
  const url = new URL(options.endpoint ?? '')
  const body = new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: 'arn:aws:iam::000000000000:role/sif-library-uploads',
    RoleSessionName: 'sif-library-uploads',
    DurationSeconds: String(seconds),
    Policy: JSON.stringify(uploadPolicy(context)),
  }).toString()
  const signer = new SignatureV4({ service: 'sts', region, credentials, sha256 })
  const { headers } = await signer.sign(
    new HttpRequest({
      method: 'POST',
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      headers: {
        host: url.host,
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': String(body.length),
        'x-amz-content-sha256': createHash('sha256').update(body).digest('hex'),
      },
      body,
    }),
    { signingDate: options.clock() },
  )
  const asked = options.clock().getTime()
  const started = performance.now()
  const entry = { operation: 'AssumeRole', bucket: connection.bucket }
  const idleMs = Math.min(IDLE_MS, options.timeouts.requestSeconds * 1000)
  const answer = await sendPlain(url.href, { method: 'POST', headers, body, ca: options.ca, idleMs }).catch(
    (cause: unknown) => {
      const { code } = factsOf(cause)
      options.log({ ...entry, ms: performance.now() - started, error: code })
      throw new StorageError('unavailable', `AssumeRole failed with ${code}`, { backend: 's3' })
    },
  )
  const { status, code } = answer
  options.log({ ...entry, ms: performance.now() - started, status, error: code })
  if (status === 408 || status === 429 || (status >= 500 && status !== 501))
    throw new StorageError('unavailable', `AssumeRole was answered with ${status}`, { backend: 's3' })
  const session = status === 200 ? readSession(answer.body) : undefined
  if (session === undefined) return undefined
  // by our clock, which signs: the store's may differ
  const granted = session.expiration.getTime() - Date.parse(answer.headers.date ?? '')
  const lasts = Math.min(seconds * 1000, Number.isNaN(granted) ? Number.POSITIVE_INFINITY : granted)
  return { ...session, expiration: new Date(asked + lasts) }
}

function readSession(xml: string): S3Session | undefined {
  const field = (name: string): string | undefined => new RegExp(`<${name}>([^<]+)</${name}>`).exec(xml)?.[1]
  const [accessKeyId, secretAccessKey, sessionToken] = [
    field('AccessKeyId'),
    field('SecretAccessKey'),
    field('SessionToken'),
  ]
  const expiration = new Date(field('Expiration') ?? '')
  if (accessKeyId === undefined || secretAccessKey === undefined || sessionToken === undefined) return undefined
  return Number.isNaN(expiration.getTime()) ? undefined : { accessKeyId, secretAccessKey, sessionToken, expiration }
}

/**
 * Keeps one session open and renews it in time: returns credentials that outlive a URL of
 * `seconds`, as far as a session of seven days can. Renewals wait for each other. While the store
 * opens none, what is left of the last one serves shorter URLs.
 */
export function keepSession(
  open: (seconds: number) => Promise<S3Session>,
  clock: () => Date,
): (seconds: number) => Promise<S3Session> {
  let last: S3Session | undefined
  let opening: Promise<void> | undefined
  const left = (): number => (last === undefined ? 0 : (last.expiration.getTime() - clock().getTime()) / 1000)

  return async (seconds) => {
    const duration = Math.min(Math.max(2 * Math.ceil(seconds + MARGIN_SECONDS), SHORTEST_SECONDS), LONGEST_SECONDS)
    const needed = Math.min(seconds + MARGIN_SECONDS, duration / 2)
    // twice, because the renewal that others wait for may be one for shorter URLs
    for (let attempt = 0; attempt < 2 && left() < needed; attempt += 1) {
      opening ??= open(duration)
        .then((session) => {
          last = session
        })
        .finally(() => {
          opening = undefined
        })
      await opening.catch((error: unknown) => {
        if (left() < RESCUE_SECONDS) throw error
      })
    }
    if (last === undefined) throw new StorageError('unavailable', 'there is no upload session', { backend: 's3' })
    return last
  }
}
