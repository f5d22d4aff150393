import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'

export interface RawAnswer {
  /** 0 when the store closed the connection instead of answering. */
  readonly status: number
  /** The S3 code of an error body. */
  readonly code: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

export interface RawRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly ca?: string
}

/** One request exactly as it is told: unlike fetch, node:http also sends a wrong length or a wrong header. */
export function rawRequest(
  url: string,
  { method = 'GET', headers = {}, body, ca }: RawRequest = {},
): Promise<RawAnswer> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest
  return new Promise((resolve) => {
    const request = send(url, { method, headers, agent: false, ...(ca === undefined ? {} : { ca }) }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const all = Buffer.concat(chunks)
        resolve({
          status: response.statusCode ?? 0,
          code: /<Code>([^<]+)<\/Code>/.exec(all.toString('latin1'))?.[1],
          headers: response.headers,
          body: all,
        })
      })
    })
    request.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ status: 0, code: error.code, headers: {}, body: Buffer.alloc(0) }),
    )
    request.end(body)
  })
}
