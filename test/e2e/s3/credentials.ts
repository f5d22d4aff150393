import { createHash } from 'node:crypto'
import { Sha256 } from '@aws-crypto/sha256-js'
import { HttpRequest } from '@smithy/protocol-http'
import { SignatureV4 } from '@smithy/signature-v4'
import type { RunningS3Server } from '../../../scripts/s3-servers.mjs'
import type { S3Credentials } from '../../../src/storage/blob/s3/index.js'
import { rawRequest } from './requests.js'

export interface Policy {
  readonly Version: string
  readonly Statement: readonly {
    readonly Effect: string
    readonly Action: readonly string[]
    readonly Resource: string
  }[]
}

/** Temporary credentials of the root user, held to a policy (STS AssumeRole, which MinIO serves on its S3 port). */
export async function assumeRole(server: RunningS3Server, policy: Policy): Promise<S3Credentials> {
  const { host, hostname, port } = new URL(server.endpoint)
  const body = new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    DurationSeconds: '900',
    Policy: JSON.stringify(policy),
  }).toString()
  const headers = {
    host,
    'content-type': 'application/x-www-form-urlencoded',
    'x-amz-content-sha256': createHash('sha256').update(body).digest('hex'),
  }
  const request = new HttpRequest({
    method: 'POST',
    protocol: 'http:',
    hostname,
    port: Number(port),
    path: '/',
    headers,
    body,
  })
  const signed = await new SignatureV4({
    credentials: server,
    region: server.region,
    service: 'sts',
    sha256: Sha256,
  }).sign(request)
  const answer = await rawRequest(server.endpoint, { method: 'POST', headers: signed.headers, body: Buffer.from(body) })
  const text = answer.body.toString()
  const field = (name: string) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(text)?.[1] ?? ''
  if (answer.status !== 200) throw new Error(`AssumeRole answered ${answer.status}: ${text}`)
  return {
    accessKeyId: field('AccessKeyId'),
    secretAccessKey: field('SecretAccessKey'),
    sessionToken: field('SessionToken'),
  }
}
