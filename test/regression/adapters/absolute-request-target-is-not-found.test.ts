/** A request target with scheme and host, as clients send it to a proxy and every server must take it (RFC 9112 3.2.2), was 404. */
import { afterEach, describe, expect, test } from 'vitest'
import { urlBelow } from '../../../src/adapters/prefix.js'
import type { Settings } from '../../../src/cli/options/table.js'
import { createApp, createWebServer } from '../../../src/cli/serve/web-server.js'
import { call } from '../../adapters/client.js'
import type { Host, RunningHost } from '../../adapters/host.js'
import { connectHost, expressHosts } from '../../adapters/hosts/express.js'
import { fastifyHosts } from '../../adapters/hosts/fastify.js'
import { honoHost } from '../../adapters/hosts/fetch.js'
import { koaHosts } from '../../adapters/hosts/koa.js'
import { nodeHost } from '../../adapters/hosts/node.js'
import { createProbe } from '../../adapters/probe.js'

describe('what lies below a prefix', () => {
  test.each([
    ['', 'http://h.example/version', '/version'],
    ['', 'HTTPS://h.example:8443/version?a=http://b/c', '/version?a=http://b/c'],
    ['', 'http://h.example', '/'],
    ['', 'http://h.example?a=b', '/?a=b'],
    ['', '/http://h.example/version', '/http://h.example/version'],
    ['', '//h.example/version', '//h.example/version'],
    ['/library', 'http://h.example/library/version', '/version'],
    ['/library', 'http://h.example/library', '/'],
    ['/library', 'http://h.example/libraryx', undefined],
    ['/library', 'http://library/version', undefined],
    ['/library', 'ftp://h.example/library/version', undefined],
  ])('"%s" of %s', (prefix, url, below) => {
    expect(urlBelow(prefix, url)).toBe(below)
  })
})

let running: Pick<RunningHost, 'close'> | undefined
afterEach(async () => {
  await running?.close()
  running = undefined
})

const hosts: readonly Host[] = [nodeHost, connectHost, honoHost, ...expressHosts, ...koaHosts, ...fastifyHosts]
describe.each(hosts.map((host) => [host.name, host] as const))('%s', (_name, host) => {
  test.each(['', '/library'])('mounted at "%s" answers it as the short one', async (prefix) => {
    const started = await host.start({ library: createProbe(), prefix, company: false })
    running = started
    const path = `${prefix}/probe/v1/a%2Fb?value=c?d`
    const short = await call(started.origin, path)
    expect(short.json()).toMatchObject({ path: '/probe/v1/a%2Fb', query: 'value=c?d' })
    const long = await call(started.origin, `${started.origin}${path}`)
    expect([long.status, long.text]).toEqual([short.status, short.text])
  })
})

test('serve answers it, at the root and below the path of its public URL', async () => {
  const server = await createWebServer({ host: '127.0.0.1', port: 0 } as Settings, {
    app: createApp(createProbe(), 'http://h.example/library'),
    logger: { warn: () => {} },
  })
  const origin = `http://127.0.0.1:${await server.listen()}`
  running = { close: () => server.drain() }
  const short = await call(origin, '/probe/x')
  expect(short.status).toBe(200)
  for (const target of ['http://h.example/probe/x', 'http://h.example/library/probe/x'])
    expect([target, (await call(origin, target)).text]).toEqual([target, short.text])
})
