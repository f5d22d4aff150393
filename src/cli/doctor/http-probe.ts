/** One HTTP request as a client would send it, without following redirects. */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { rootCertificates } from 'node:tls'

export interface ProbeOptions {
  readonly method: 'GET' | 'PUT'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** PEM of one more authority to trust. */
  readonly ca?: string | Uint8Array | undefined
}

export interface ProbeAnswer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  /** The code in an S3 error body. */
  readonly code: string | undefined
}

const timeout = 10_000
const maxBody = 1_000_000

/** Rejects with the error of the network. */
export function sendProbe(url: string, { method, headers = {}, body, ca }: ProbeOptions): Promise<ProbeAnswer> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? httpsRequest : httpRequest
    const trust = ca === undefined ? {} : { ca: [...rootCertificates, typeof ca === 'string' ? ca : Buffer.from(ca)] }
    const request = send(url, { method, headers, agent: false, timeout, ...trust }, (response) => {
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length <= maxBody) chunks.push(chunk)
      })
      response.once('error', reject)
      response.once('end', () => {
        const whole = Buffer.concat(chunks)
        const code = /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(whole.toString('latin1'))?.[1]
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: whole, code })
      })
    })
    request.once('timeout', () =>
      request.destroy(Object.assign(new Error(`no answer within ${timeout / 1000} s`), { code: 'ETIMEDOUT' })),
    )
    request.once('error', reject)
    request.end(body)
  })
}
