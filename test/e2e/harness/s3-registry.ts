/** Registries over a real S3 server. */
import { randomUUID } from 'node:crypto'
import type { RunningS3Server } from '../../../scripts/s3-servers.mjs'
import {
  type ExpressOptions,
  type Registry,
  type ServeOptions,
  type ServeRegistry,
  startExpress,
  startServe,
} from './server.js'

export const BUCKET = 'images'

export interface S3Placement {
  /** Where clients reach the store. Default: where it listens. */
  readonly publicEndpoint?: string
  /** Prefix in the bucket. Default: one of its own. */
  readonly prefix?: string
  /** More parameters of the storage URL, such as `{ verify: 'background' }`. */
  readonly parameters?: Readonly<Record<string, string>>
}

/** The storage URL of a prefix in the server's bucket, without credentials. */
export function storageUrl(
  server: RunningS3Server,
  { publicEndpoint, prefix = randomUUID(), parameters = {} }: S3Placement = {},
): string {
  const query = new URLSearchParams({
    endpoint: server.endpoint,
    region: server.region,
    pathStyle: 'true',
    ...parameters,
  })
  if (publicEndpoint !== undefined) query.set('publicEndpoint', publicEndpoint)
  return `s3://${BUCKET}/${prefix}?${query}`
}

/** What the AWS provider chain reads. */
export function s3Credentials({ accessKeyId, secretAccessKey }: RunningS3Server): Record<string, string> {
  return { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_EC2_METADATA_DISABLED: 'true' }
}

/** `sif-library serve` over the server; all its other commands find the storage too. */
export function startServeOn(
  server: RunningS3Server,
  options: ServeOptions & S3Placement = {},
): Promise<ServeRegistry> {
  const { publicEndpoint, prefix, parameters, ...serve } = options
  const storage = storageUrl(server, {
    ...(publicEndpoint !== undefined && { publicEndpoint }),
    ...(prefix !== undefined && { prefix }),
    ...(parameters !== undefined && { parameters }),
  })
  return startServe({ ...serve, env: { SIF_LIBRARY_STORAGE: storage, ...s3Credentials(server), ...serve.env } })
}

/** The Express portal over the server. */
export function startExpressOn(server: RunningS3Server, options: ExpressOptions): Promise<Registry> {
  return startExpress({ storage: storageUrl(server), ...options, env: s3Credentials(server) })
}
