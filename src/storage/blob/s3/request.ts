import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { rootCertificates } from 'node:tls'

export interface PlainRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Sent exactly so. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /**
   * The body that the headers announce is never sent: only an answer that does not wait for it
   * comes.
   */
  readonly withhold?: boolean
  /** PEM of an authority to trust beside those of Node. */
  readonly ca?: string | Uint8Array | undefined
  /** Milliseconds without a byte until it is given up. */
  readonly idleMs: number
}

export interface PlainAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The first 64 KiB. */
  readonly body: string
  /** The code in an S3 error body. */
  readonly code: string | undefined
}

const MAX_BODY_BYTES = 65_536

/**
 * Sends one request as a client of the store does: on a connection of its own, without the SDK, its
 * signatures and its retries. Rejects with the error of the network.
 */
export function sendPlain(
  url: string,
  { method, headers, body, withhold, ca, idleMs }: PlainRequest,
): Promise<PlainAnswer> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest
  const trust = ca === undefined ? {} : { ca: [...rootCertificates, typeof ca === 'string' ? ca : Buffer.from(ca)] }
  return new Promise((resolve, reject) => {
    const options = { method, headers: { ...headers }, agent: false, timeout: idleMs, ...trust }
    const request = send(url, options, (response) => {
      let text = ''
      response.setEncoding('latin1')
      response.on('data', (chunk: string) => {
        if (text.length < MAX_BODY_BYTES) text += chunk.slice(0, MAX_BODY_BYTES - text.length)
      })
      response.once('error', reject)
      response.once('end', () => {
        if (withhold === true) request.destroy()
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: text,
          code: /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(text)?.[1],
        })
      })
    })
    request.once('timeout', () =>
      request.destroy(Object.assign(new Error(`no answer within ${idleMs} ms`), { code: 'ETIMEDOUT' })),
    )
    request.once('error', reject)
    if (withhold === true) request.flushHeaders()
    else request.end(body)
  })
}
