/** The transcripts of protocol 9 and of the rows that it does not show: through `library.handle`, and over real HTTP behind connect, under a prefix. */
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import connect from 'connect'
import request from 'supertest'
import { afterEach, describe, expect, it } from 'vitest'
import { libraryMiddleware } from '../../src/adapters/express.js'
import { routes } from '../../src/core/routes.js'
import { decodeAs, decodedRows } from '../support/go-decode.js'
import { createTestRegistry, type TestRegistry } from '../support/registry.js'
import { playTranscript, readTranscripts, type Send, type Transcript } from '../support/transcript.js'

const transcripts = readTranscripts(join(import.meta.dirname, 'transcripts'))
const byTitle = transcripts.map((transcript) => [transcript.title, transcript] as const)

/** A real server, and a client that follows nothing and adds nothing. */
async function serve(registry: TestRegistry): Promise<{ readonly server: Server; readonly send: Send }> {
  const app = connect()
  app.use('/library', libraryMiddleware(registry.library))
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const collect = (res: request.Response, done: (error: Error | null, body: Buffer) => void): void => {
    const chunks: Buffer[] = []
    res.on('data', (chunk: Buffer) => chunks.push(chunk))
    res.on('end', () => done(null, Buffer.concat(chunks)))
  }
  const send: Send = async (method, path, { token, body, headers }) => {
    const bytes =
      body === undefined || body instanceof Uint8Array
        ? body
        : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    const authorization =
      token === undefined
        ? {}
        : { authorization: `Bearer ${(registry.tokens as Record<string, string>)[token] ?? token}` }
    const asked = (request(server) as unknown as Record<string, (path: string) => request.Test>)[
      method.toLowerCase()
    ]?.(`/library${path}`)
    if (asked === undefined) throw new Error(`supertest knows no ${method}`)
    for (const [name, value] of Object.entries({ ...authorization, ...headers })) asked.set(name, value as string)
    const response = await asked
      .redirects(0)
      .buffer(true)
      .parse(collect as never)
      // superagent would write a Buffer as JSON where the type says JSON, and add a type to a text where it says nothing
      .send((headers?.['content-type'] === 'application/json' ? bytes?.toString() : bytes) as never)
    const answer = Buffer.isBuffer(response.body) ? response.body : Buffer.alloc(0)
    return {
      status: response.status,
      headers: response.headers,
      bytes: answer,
      text: answer.toString(),
      get json() {
        return JSON.parse(answer.toString())
      },
    }
  }
  return { server, send }
}

const make = (transcript: Transcript, storage: 'memory' | 'filesystem'): Promise<TestRegistry> =>
  createTestRegistry({ storage, library: transcript.registry })

describe('through library.handle', () => {
  const hit = new Set<string>()
  let registry: TestRegistry | undefined
  afterEach(() => registry?.close())

  it.each(byTitle)('%s', async (_, transcript) => {
    registry = await make(transcript, 'memory')
    const { call } = registry
    for (const row of await playTranscript(transcript, { registry, send: call })) hit.add(row)
  })

  it('every row of the route table is hit by a transcript', () => {
    expect(routes.map(({ name }) => name).filter((name) => !hit.has(name))).toEqual([])
  })
})

describe('over HTTP, behind connect, under /library, on the filesystem', () => {
  it.each(byTitle)('%s', async (_, transcript) => {
    const registry = await make(transcript, 'filesystem')
    const { server, send } = await serve(registry)
    try {
      await playTranscript(transcript, { registry, send })
    } finally {
      await new Promise((resolve) => server.close(resolve))
      await registry.close()
    }
  })
})

describe('the decoder of the transcripts', () => {
  it('knows every row', () => {
    expect([...decodedRows].sort()).toEqual(routes.map(({ name }) => name).sort())
  })

  const id = '65f0c0de0000000000000001'
  const image = { id, hash: 'sha256.x', uploaded: true }
  it.each([
    ['tags.getV2', '{"data":[]}'],
    ['tags.getV1', `{"data":{"latest":5}}`],
    ['tags.getV1', '{"data":{"latest":"short"}}'],
    ['entities.get', '{"data":{"id":1,"name":"a"}}'],
    ['entities.get', `{"data":{"id":"${id}","name":"a","createdAt":""}}`],
    ['entities.get', `{"data":{"id":"${id}","name":"a","CREATEDAT":"2026-01-01 00:00:00Z"}}`],
    ['entities.get', `{"data":{"id":"${id}","name":"a","createdAt":"2026-01-01T00:00:00+6:00"}}`],
    ['entities.get', `{"data":{"id":"${id}","name":"a","quota":1.0}}`],
    ['entities.get', `{"data":{"id":"${id}","name":"a","quota":1e3}}`],
    ['entities.get', `{"data":{"id":"${id}","name":"a","quota":"0"}}`],
    ['entities.get', `{"data":{"id":"${id}","name":"a","collections":{}}}`],
    ['entities.get', `{"id":"${id}"}`],
    ['entities.get', `{"data":{"id":"${id}","name":"a"}} x`],
    ['images.get', JSON.stringify({ data: { ...image, size: 1.5 } })],
    ['images.get', JSON.stringify({ data: { ...image, uploaded: 'true' } })],
    ['images.get', JSON.stringify({ data: { ...image, tags: {} } })],
    ['uploads.startMultipart', '{"data":{"uploadID":"u","totalParts":1,"partSize":1,"options":{"s3compliant":true}}}'],
    ['discovery', '{"libraryAPI":{},"version":"1"}'],
  ])('refuses %s %s', (row, body) => {
    expect(() => decodeAs(row, { status: 200, body })).toThrow()
  })

  it('takes null, missing and unknown members, and keys in any case', () => {
    decodeAs('images.get', {
      status: 200,
      body: JSON.stringify({
        DATA: null,
        data: { ...image, size: null, tags: null, ARCH: 'amd64', more: [1.5].map(String) },
      }),
    })
    decodeAs('tags.getV2', { status: 200, body: '{"data":{}}' })
    expect(() => decodeAs('version', { status: 404, body: '{"error":{"code":"404","message":"x"}}' })).toThrow()
  })
})
