/** Search (protocol 5.16), filtered by what the principal may see. */
import type { ImageInContainer, SearchPage, SearchQuery, VisibilityFilter } from '../../storage/metadata/contract.js'
import { may } from '../access.js'
import { LibraryError } from '../errors.js'
import type { LibraryResponse } from '../messages.js'
import { collectionObject, containerObject, entityObject, imageObject } from '../objects.js'
import { checkArch } from '../references.js'
import { collectionResource, containerResource, entityResource, imageResource } from '../resources.js'
import { jsonResponse } from '../responses.js'
import type { RouteContext } from '../route-row.js'

type Context = RouteContext<unknown, unknown>

const defaultPageSize = 100
const maxPageSize = 1000
/** Pages read for one answer where rows are asked about one by one. */
const maxRounds = 20

function readQuery({ query }: Context) {
  const value = query.value ?? ''
  if ([...value].length < 3) throw new LibraryError('invalid-request', 'value: search for at least 3 characters')
  if (value.length > 256) throw new LibraryError('invalid-request', 'value: 256 characters at most')
  if (value.includes('\0')) throw new LibraryError('invalid-request', 'value: must not hold NUL')
  const archs = (query.arch ?? '')
    .split(',')
    .filter((arch) => arch !== '')
    .map((arch) => checkArch('arch', arch))
  if (archs.length > 32) throw new LibraryError('invalid-request', 'arch: 32 at most')
  const pageSize = query.pageSize === undefined ? defaultPageSize : Number(query.pageSize)
  if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > maxPageSize)
    throw new LibraryError('invalid-request', `pageSize: a number from 1 to ${maxPageSize}`)
  if (query.signed !== undefined && !['true', 'false', '', '1', '0'].includes(query.signed)) throw new LibraryError('invalid-request', 'signed: true or false')
  const signed = query.signed === 'true' || query.signed === '1' ? { signed: true } : query.signed === 'false' || query.signed === '0' ? { signed: false } : {}
  return { value, limit: pageSize, ...(archs.length === 0 ? {} : { archs }), ...signed, ...(query.page === undefined ? {} : { after: query.page }) }
}

/** The store filters where the host can say it as a filter; otherwise, and for tokens of a limited scope, each row is asked about. */
async function readVisibility({ services, principal, request }: Context): Promise<{ readonly visibility: VisibilityFilter; readonly askEachRow: boolean }> {
  const { auth } = services
  const scoped = (principal?.scopes?.length ?? 0) > 0
  if (auth.visible !== undefined) return { visibility: await auth.visible({ principal, request }), askEachRow: scoped }
  return auth.authorize === undefined ? { visibility: 'public', askEachRow: false } : { visibility: 'all', askEachRow: true }
}

async function keepAllowed<T>(items: readonly T[], isAllowed: (item: T) => boolean | Promise<boolean>): Promise<T[]> {
  const allowed = await Promise.all(items.map(isAllowed))
  return items.filter((_, index) => allowed[index])
}

async function filterPage({ services, principal, request }: Context, page: SearchPage): Promise<SearchPage> {
  const question = { auth: services.auth, principal, request }
  // containers of an image repeat: each is asked about once
  const asked = new Map<string, boolean | Promise<boolean>>()
  const mayPull = ({ container }: ImageInContainer): boolean | Promise<boolean> => {
    const answer = asked.get(container.id) ?? may(question, 'pull', imageResource(container))
    asked.set(container.id, answer)
    return answer
  }
  return {
    entities: await keepAllowed(page.entities, (record) => may(question, 'pull', entityResource(record.name, record))),
    collections: await keepAllowed(page.collections, (record) =>
      may(question, 'pull', collectionResource({ entity: record.entityName, collection: record.name }, record)),
    ),
    containers: await keepAllowed(page.containers, (record) =>
      may(question, 'pull', containerResource({ entity: record.entityName, collection: record.collectionName, container: record.name }, record)),
    ),
    images: await keepAllowed(page.images, mayPull),
    next: page.next,
  }
}

/** Where rows are asked about one by one, further pages are read until one is full, so that hidden rows do not make an answer look empty. */
async function readPage(context: Context, options: { readonly query: SearchQuery; readonly askEachRow: boolean }): Promise<SearchPage> {
  const { query, askEachRow } = options
  const { metadata } = context.services
  const found = await metadata.search(query)
  if (!askEachRow) return found
  let page = await filterPage(context, found)
  for (let round = 1; round < maxRounds && page.next !== undefined && page.images.length < query.limit; round += 1) {
    const more = await filterPage(context, await metadata.search({ ...query, limit: query.limit - page.images.length, after: page.next }))
    page = { ...page, images: [...page.images, ...more.images], next: more.next }
  }
  return page
}

export async function search(context: Context): Promise<LibraryResponse> {
  const { services } = context
  const query = readQuery(context)
  const { visibility, askEachRow } = await readVisibility(context)
  const page = await readPage(context, { query: { ...query, visibility }, askEachRow })
  const { maxEntityBytes } = services.settings.limits
  return jsonResponse({
    data: {
      entity: page.entities.map((record) => entityObject(record, maxEntityBytes)),
      collection: page.collections.map(collectionObject),
      container: page.containers.map((record) => containerObject(record)),
      image: page.images.map(({ image, container, tags }) => imageObject(image, container, tags)),
    },
    ...(page.next === undefined ? {} : { page: { next: page.next } }),
  })
}
