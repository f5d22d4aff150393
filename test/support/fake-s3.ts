/** A store of a few lines that answers as one is said to: for what no store that the tests can start does, or not on demand. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type S3Storage, type S3StorageOptions, s3Storage } from '../../src/storage/blob/s3/index.js'

export interface FakeCall {
  readonly method: string
  /** Name of the object, without the bucket. */
  readonly object: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** `silent`: the connection is taken, and nothing is ever said. */
export type FakeAnswer =
  | 'silent'
  | { readonly status: number; readonly xml?: string; readonly headers?: Readonly<Record<string, string>> }

export interface FakeS3 {
  readonly endpoint: string
  readonly calls: FakeCall[]
  open(options?: Partial<S3StorageOptions>): S3Storage
  close(): Promise<void>
}

export const BUCKET = 'images'

/** An S3 error as stores write it. */
export const refuse = (status: number, code: string): FakeAnswer => ({
  status,
  xml: `<Error><Code>${code}</Code><Message>no</Message></Error>`,
})

export async function startFakeS3(answer: (call: FakeCall) => FakeAnswer): Promise<FakeS3> {
  const calls: FakeCall[] = []
  const server: Server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += String(chunk)))
    request.on('end', () => {
      const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://store')
      const object = decodeURIComponent(pathname.slice(BUCKET.length + 2))
      const call = { method: request.method ?? '', object, query, headers: request.headers, body }
      calls.push(call)
      const told = answer(call)
      if (told === 'silent') return
      response.writeHead(told.status, { 'content-type': 'application/xml', ...told.headers })
      response.end(told.xml === undefined || call.method === 'HEAD' ? undefined : told.xml)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' }
  const opened: S3Storage[] = []
  return {
    endpoint,
    calls,
    open: (options = {}) => {
      const storage = s3Storage({ bucket: BUCKET, endpoint, credentials, bindPayload: false, ...options })
      opened.push(storage)
      return storage
    },
    close: async () => {
      for (const storage of opened) await storage.close?.()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
