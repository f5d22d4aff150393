/**
 * `sif-library/fastify`: for Fastify 4 and 5.
 *
 *     app.register(libraryPlugin, { library, prefix: '/library' })
 * @module
 */
import { isUint8Array } from 'node:util/types'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Library } from '../core/index.js'
import { askLibrary, toReadable } from './node-http.js'
import { normalizePrefix, urlBelow } from './prefix.js'

export interface LibraryPluginOptions {
  readonly library: Pick<Library, 'handle'>
  /**
   * Path that the registry lives under, such as `/library`; Fastify's own option. Default: the
   * root.
   */
  readonly prefix?: string
  /**
   * For the host's own root, beside the mount: only paths of extensions that clients look for there
   * (`/v2/`, `/pks/`) are answered, and no prefix is taken off: give the paths themselves as
   * prefix, such as `/v2`. Default: false.
   */
  readonly root?: boolean
}

/** Not OPTIONS: that one belongs to the host's CORS. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/**
 * Mounts a registry as an encapsulated plugin: the host's content type parsers stay as they are,
 * its hooks run. Paths that are not the registry's go to the host's 404 handler. Hooks of the
 * registry see the `FastifyRequest` as `request.native`.
 */
export async function libraryPlugin(
  instance: FastifyInstance,
  { library, root = false }: LibraryPluginOptions,
): Promise<void> {
  const prefix = root ? '' : normalizePrefix(instance.prefix)

  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { raw } = request
    // Fastify matches the decoded path; only the raw one tells `%2F` from `/`
    const url = urlBelow(prefix, raw.url ?? '/')
    const payload =
      request.body === undefined || request.body === null || request.body === raw
        ? undefined
        : (request.body as AsyncIterable<Uint8Array>)
    const response =
      url === undefined
        ? undefined
        : await askLibrary(library, raw, { res: reply.raw, url, native: request, payload, root })
    if (response === undefined) {
      reply.callNotFound()
      return reply
    }
    // @fastify/compress knows no `no-transform`, and would compress images; this header of the request is how it is told
    if (response.headers['cache-control']?.includes('no-transform')) raw.headers['x-no-compression'] = '1'
    reply.code(response.status).headers(response.headers)
    const { body } = response
    // Fastify would serialize null
    if (body === null) return reply.send()
    // as bytes: Fastify adds a charset to the type of strings
    if (typeof body === 'string') return reply.send(Buffer.from(body))
    // as a Buffer: the first versions of Fastify 4 send no other Uint8Array
    return reply.send(
      isUint8Array(body) ? Buffer.from(body.buffer, body.byteOffset, body.byteLength) : toReadable(body, reply.raw),
    )
  }

  instance.removeAllContentTypeParsers()
  // every type and none: the stream goes on unread
  instance.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
  instance.route({ method: [...methods], url: '/*', exposeHeadRoute: false, handler })
}
