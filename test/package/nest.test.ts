/** Nest, on Express and on Fastify, mounted as docs/hosts.md says. Its packages are fetched by this test alone. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { cleanUpAfterEach, clientOf, startHost } from './cli-support.js'
import { type Consumer, install, pack } from './packed.js'

const packages = [
  '@nestjs/core@12.5.1',
  '@nestjs/common@12.5.1',
  '@nestjs/platform-express@12.5.1',
  '@nestjs/platform-fastify@12.5.0',
  'reflect-metadata@0.2.2',
  'rxjs@7.8.2',
]

/** The text of a server; `mount` is what a host writes between making the app and listening. */
const host = (adapter: string, mount: string, module = ''): string => `
import 'reflect-metadata'
import { Controller, Get, Module, RequestMethod } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { createLibrary } from 'sif-library'
import { libraryMiddleware } from 'sif-library/express'
import { libraryPlugin } from 'sif-library/fastify'
import { sqliteMetadata } from 'sif-library/metadata/sqlite'
import { memoryStorage } from 'sif-library/storage/memory'
${adapter === 'fastify' ? "import { FastifyAdapter } from '@nestjs/platform-fastify'" : ''}

let origin
const library = createLibrary({ publicUrl: () => origin + '/library', storage: memoryStorage(), metadata: sqliteMetadata({ file: ':memory:' }) })
class Pages {
  hello() {
    return 'the host'
  }
}
Get('hello')(Pages.prototype, 'hello', Object.getOwnPropertyDescriptor(Pages.prototype, 'hello'))
Controller()(Pages)
class AppModule {
  ${module}
}
Module({ controllers: [Pages] })(AppModule)

const app = await NestFactory.create(AppModule, ${adapter === 'fastify' ? 'new FastifyAdapter({ requestTimeout: 0 }), ' : ''}{ logger: false })
${mount}
await app.listen(0, '127.0.0.1')
const server = app.getHttpServer()
server.requestTimeout = 0
origin = 'http://127.0.0.1:' + server.address().port
await library.accounts.addUser({ name: 'alice' })
const { token } = await library.accounts.createToken({ user: 'alice' })
console.log('token ' + token)
console.log('listening on ' + origin)
`

const byConsumer = (path: string): string =>
  `configure(consumer) { consumer.apply(libraryMiddleware(library, { prefix: '/library' })).forRoutes({ path: '${path}', method: RequestMethod.ALL }) }`

const hosts: readonly (readonly [name: string, text: string])[] = [
  ['Express, app.use', host('express', "app.use('/library', libraryMiddleware(library))")],
  ['Express, MiddlewareConsumer', host('express', '', byConsumer('library/*path'))],
  ['Fastify, register', host('fastify', "await app.register(libraryPlugin, { library, prefix: '/library' })")],
  ['Fastify, MiddlewareConsumer', host('fastify', '', byConsumer('library/*path'))],
]

let consumer: Consumer
beforeAll(async () => {
  consumer = await install(await pack(), { linked: ['better-sqlite3'], packages })
})

cleanUpAfterEach()

describe.each(hosts)('Nest on %s', (name, text) => {
  test('pushes, pulls, and leaves the host its own paths', async () => {
    const file = `${name.replaceAll(/\W+/g, '-')}.mjs`
    await consumer.write(file, text)
    const server = await startHost(join(consumer.folder, file))
    const token = /^token (\S+)$/m.exec(server.logs())?.[1] ?? ''
    const client = clientOf(`${server.url}/library`, token)
    const bytes = randomBytes(300_000)
    const hash = await client.push('alice/tools/bwa', bytes)
    const pulled = await client.pull('alice/tools/bwa:latest')
    expect([pulled.status, pulled.bytes.equals(bytes)]).toEqual([200, true])
    expect((await client.call('GET', `/v1/images/alice/tools/bwa:${hash}`)).status).toBe(200)
    // as the clients write paths: a second slash behind the mount, and escapes
    expect((await client.call('GET', '//v1/containers/alice/tools/bwa')).status).toBe(200)
    expect((await client.call('GET', '/v1/search?value=bwa')).status).toBe(200)
    expect((await fetch(`${server.url}/hello`)).status).toBe(200)
    expect(await (await fetch(`${server.url}/hello`)).text()).toBe('the host')
    expect((await fetch(`${server.url}/library/nothing/of/ours`)).status).toBe(404)
  })
})
