/** Fastify 4 and 5. */
import { fastify } from 'fastify'
import { fastify as fastify4 } from 'fastify4'
import { libraryPlugin } from '../../../src/adapters/fastify.js'
import { describeUnknown, ERROR_PAGE, type Host, listen, readAll } from '../host.js'

function fastifyHost(name: string, make: typeof fastify): Host {
  return {
    name,
    // its JSON parser runs per route, and ours are encapsulated
    parses: false,
    start: async ({ library, prefix, company }) => {
      const app = make({ requestTimeout: 0 })
      const log: string[] = []
      if (company) {
        app.addHook('onRequest', async (_request, reply) => {
          reply.header('x-portal', 'yes').header('set-cookie', 'session=portal')
        })
        app.addHook('preHandler', async (request) => {
          if (request.method === 'TRACE') throw new Error('no')
        })
        app.addHook('onSend', async (_request, reply, payload) => {
          reply.header('x-response-time', '1')
          return payload
        })
        app.addHook('onResponse', async (request, reply) => {
          log.push(`${request.method} ${request.raw.url} ${reply.statusCode}`)
        })
      }
      app.setErrorHandler((_error, _request, reply) => reply.code(500).send(ERROR_PAGE))
      app.setNotFoundHandler(async (request, reply) => {
        const body = await readAll(request.raw)
        return reply.code(404).send(describeUnknown(request.method, request.raw.url ?? '', body))
      })
      app.post('/portal/echo', async (request) => ({ saw: request.body }))
      app.get('/portal/boom', async () => {
        throw new Error('boom')
      })
      app.options('*', async (_request, reply) => reply.code(204).send())
      await app.register(libraryPlugin, prefix === '' ? { library } : { library, prefix })
      await app.listen({ port: 0, host: '127.0.0.1' })
      const host = await listen(app.server, log)
      return {
        ...host,
        close: async () => {
          app.server.closeAllConnections()
          await app.close()
        },
      }
    },
  }
}

export const fastifyHosts: readonly Host[] = [fastifyHost('Fastify 5', fastify), fastifyHost('Fastify 4', fastify4 as unknown as typeof fastify)]
