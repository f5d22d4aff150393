/** `Control` over HTTP: the rows of the API. */
import type { Control } from '../core/control/control.js'
import type { Page, PageQuery } from '../core/control/records.js'
import { RegistryError } from './errors.js'
import type { Ask, Send } from './http.js'

/**
 * The parts of a path. Throws `invalid-name`, as the registry does, for what would name another
 * row.
 */
function placeOf(path: string, names: readonly string[]): readonly string[] {
  const parts = String(path).split('/')
  if (parts.length !== names.length || parts.some((part) => part === ''))
    throw new RegistryError(`path: expected ${names.join('/')}`, { reason: 'invalid-name', status: 400, field: 'path' })
  return parts.map(oneSegment)
}

/** A segment that a URL parser would take for a way up or out is refused. */
function oneSegment(text: string): string {
  if (text === '' || text === '.' || text === '..')
    throw new RegistryError(`${JSON.stringify(text)} is no valid name`, { reason: 'invalid-name', status: 400 })
  return text
}

const entityNames = ['entity']
const collectionNames = ['entity', 'collection']
const containerNames = ['entity', 'collection', 'container']

export function createHttpControl(send: Send): Control {
  const data = async <T>(segments: readonly string[], ask?: Ask): Promise<T> => {
    const answer = (await (await send(segments, ask)).json()) as { readonly data: T }
    return answer.data
  }
  const done = async (segments: readonly string[], ask: Ask): Promise<void> => {
    await (await send(segments, ask)).arrayBuffer()
  }
  const page = async <T>(segments: readonly string[], query: object | undefined): Promise<Page<T>> => {
    const answer = (await (await send(segments, { query })).json()) as {
      readonly data: readonly T[]
      readonly next: string | null
    }
    return { items: answer.data, next: answer.next }
  }
  async function* every<T>(segments: readonly string[], query: object | undefined): AsyncGenerator<T, void, undefined> {
    let cursor: string | undefined
    do {
      const found: Page<T> = await page(segments, { limit: 200, ...query, cursor })
      yield* found.items
      cursor = found.next ?? undefined
    } while (cursor !== undefined)
  }
  const listing = <Q, T>(...segments: readonly string[]) => ({
    list: (query?: Q & PageQuery): Promise<Page<T>> => page<T>(segments, query),
    all: (query?: Q): AsyncGenerator<T, void, undefined> => every<T>(segments, query as object | undefined),
  })
  /** Below a container. */
  const listingOf = <Q, T>(last: string) => {
    const below = (path: string): readonly string[] => ['containers', ...placeOf(path, containerNames), last]
    return {
      list: async (path: string, query?: Q & PageQuery): Promise<Page<T>> => page<T>(below(path), query),
      all: (path: string, query?: Q): AsyncGenerator<T, void, undefined> =>
        every<T>(below(path), query as object | undefined),
    }
  }
  const seen = (ifMatch: string | undefined): Pick<Ask, 'headers'> =>
    ifMatch === undefined ? {} : { headers: { 'if-match': `"${ifMatch}"` } }
  /** Get, change, delete and preview what lies at a path. */
  const place = <T>(kind: string, names: readonly string[]) => {
    const at = (path: string): readonly string[] => [kind, ...placeOf(path, names)]
    return {
      get: async (path: string, query?: object): Promise<T> => data<T>(at(path), { query }),
      update: async (path: string, change: { readonly ifMatch?: string }): Promise<T> => {
        const { ifMatch, ...body } = change
        return data<T>(at(path), { method: 'PATCH', body, ...seen(ifMatch) })
      },
      delete: async (path: string, options: { readonly ifMatch?: string } = {}): Promise<void> => {
        const { ifMatch, ...query } = options
        return done(at(path), { method: 'DELETE', query, ...seen(ifMatch) })
      },
      preview: async (path: string) =>
        data<Awaited<ReturnType<Control['containers']['preview']>>>(at(path), {
          method: 'DELETE',
          query: { preview: true },
        }),
    }
  }
  const create =
    <N, T>(kind: string) =>
    (body: N): Promise<T> =>
      data<T>([kind], { method: 'POST', body })
  const tagAt = (path: string, tag: string): readonly string[] => [
    'containers',
    ...placeOf(path, containerNames),
    'tags',
    oneSegment(tag),
  ]
  const imageAt = (path: string, digest: string): readonly string[] => [
    'images',
    ...placeOf(path, containerNames),
    oneSegment(digest),
  ]
  const uploadAt = (id: string): readonly string[] => ['uploads', oneSegment(id)]

  return {
    session: { get: () => data(['session']) },
    spaces: { list: () => data(['spaces']) },
    tokens: {
      list: (query) => data(['tokens'], { query }),
      create: create('tokens'),
      revoke: async (id) => done(['tokens', oneSegment(id)], { method: 'DELETE' }),
    },
    entities: { ...listing('entities'), ...place('entities', entityNames), create: create('entities') },
    collections: { ...listing('collections'), ...place('collections', collectionNames), create: create('collections') },
    containers: { ...listing('containers'), ...place('containers', containerNames), create: create('containers') },
    tags: {
      ...listingOf('tags'),
      get: async (path, tag, query) => data(tagAt(path, tag), { query }),
      set: async (path, tag, { ifMatch, ifNoneMatch, arch, ...body }) =>
        data(tagAt(path, tag), {
          method: 'PUT',
          query: { arch },
          body,
          headers: {
            ...seen(ifMatch).headers,
            ...(ifNoneMatch !== undefined && { 'if-none-match': ifNoneMatch }),
          },
        }),
      delete: async (path, tag, { ifMatch, ...query } = {}) =>
        done(tagAt(path, tag), { method: 'DELETE', query, ...seen(ifMatch) }),
    },
    history: listingOf('history'),
    images: {
      ...listingOf('images'),
      get: async (path, digest, query) => data(imageAt(path, digest), { query }),
      update: async (path, digest, body) => data(imageAt(path, digest), { method: 'PATCH', body }),
      delete: async (path, digest) => done(imageAt(path, digest), { method: 'DELETE' }),
      preview: async (path, digest) => data(imageAt(path, digest), { method: 'DELETE', query: { preview: true } }),
      details: async (path, digest) => data([...imageAt(path, digest), 'details']),
      // a browser shows no script where a redirect leads
      pullUrl: async (path, digest) =>
        (await data<{ readonly url: string }>([...imageAt(path, digest), 'download'], { query: { redirect: false } }))
          .url,
    },
    uploads: {
      ...listing('uploads'),
      start: create('uploads'),
      get: async (id) => data(uploadAt(id)),
      parts: async (id, body) => data([...uploadAt(id), 'parts'], { method: 'POST', body }),
      complete: async (id) => data([...uploadAt(id), 'complete'], { method: 'POST' }),
      abort: async (id) => done(uploadAt(id), { method: 'DELETE' }),
    },
    search: (q) => data(['search'], { query: { q } }),
    usage: {
      get: (query) => data(['usage'], { query }),
      history: (entity, query) => data(['usage', 'history'], { query: { under: entity, ...query } }),
    },
    pulls: (query) => data(['pulls'], { query }),
    stats: () => data(['stats']),
    events: listing('events'),
  }
}
