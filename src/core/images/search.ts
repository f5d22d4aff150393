/** Search (protocol 5.16), filtered by what the principal may see. */
import type { ImageInContainer, SearchPage, SearchQuery, VisibilityFilter } from '../../storage/metadata/contract.js'
import { may } from '../auth/access.js'
import type { Principal } from '../auth/policy.js'
import { collectionResource, containerResource, entityResource, imageResource } from '../auth/resources.js'
import { LibraryError } from '../http/errors.js'
import type { LibraryResponse } from '../http/messages.js'
import { jsonTextResponse } from '../http/responses.js'
import {
  collectionObject,
  containerObject,
  entityObject,
  type ImageObject,
  imageObject,
  type Viewer,
} from '../model/objects.js'
import { checkArch } from '../model/references.js'
import type { RouteContext } from '../route.js'

type Context = RouteContext<unknown, unknown>
/** Who searches. */
export type Searcher = Pick<Context, 'services' | 'principal' | 'request'>
type Search = ReturnType<typeof readQuery>

const defaultPageSize = 100
const maxPageSize = 1000
/**
 * Where rows are asked about one by one: rows of a page of the store, and pages read for one
 * answer.
 */
const rowsAtOnce = 500
const maxRounds = 10
/** In characters, and tags and signers of one image: what a list shows. */
const maxDescription = 1024
const maxTags = 100
const maxFingerprints = 16
/**
 * Bytes of one answer, and how many of them entities, collections and containers may take each. A
 * page of images ends early, and `next` goes on from there.
 */
const maxAnswerBytes = 1024 ** 2
const maxNamesBytes = 256 * 1024

function readQuery({ query }: Context) {
  const value = query.value ?? ''
  // bytes, as the clients count: what has fewer characters finds nothing
  if (Buffer.byteLength(value) < 3) throw new LibraryError('invalid-request', 'value: search for at least 3 characters')
  if (value.length > 256) throw new LibraryError('invalid-request', 'value: 256 characters at most')
  if (value.includes('\0')) throw new LibraryError('invalid-request', 'value: must not hold NUL')
  const archs = (query.arch ?? '')
    .split(',')
    .filter((arch) => arch !== '')
    .map((arch) => checkArch('arch', arch))
  if (archs.length > 32) throw new LibraryError('invalid-request', 'arch: 32 at most')
  const pageSize = query.pageSize === undefined ? defaultPageSize : Number(query.pageSize)
  if (!/^\d+$/.test(query.pageSize ?? '1') || pageSize < 1 || pageSize > maxPageSize)
    throw new LibraryError('invalid-request', `pageSize: a number from 1 to ${maxPageSize}`)
  if (query.signed !== undefined && !['true', 'false', '', '1', '0'].includes(query.signed))
    throw new LibraryError('invalid-request', 'signed: true or false')
  const signed =
    query.signed === 'true' || query.signed === '1'
      ? { signed: true }
      : query.signed === 'false' || query.signed === '0'
        ? { signed: false }
        : {}
  return {
    value,
    limit: pageSize,
    ...(archs.length === 0 ? {} : { archs }),
    ...signed,
  }
}

/** A cursor is good for this search of this principal. */
const scopeOf = ({ value, archs, signed }: Search, principal: Principal | null): string =>
  JSON.stringify([value, archs ?? [], signed ?? null, principal?.id ?? null])

/**
 * The store filters where the host can say it as a filter; otherwise, and for tokens of a limited
 * scope, each row is asked about.
 */
async function readVisibility({
  services,
  principal,
  request,
}: Searcher): Promise<{ readonly visibility: VisibilityFilter; readonly askEachRow: boolean }> {
  const { auth } = services
  const scoped = (principal?.scopes?.length ?? 0) > 0
  if (auth.visible !== undefined) return { visibility: await auth.visible({ principal, request }), askEachRow: scoped }
  return auth.authorize === undefined
    ? { visibility: 'public', askEachRow: false }
    : { visibility: 'all', askEachRow: true }
}

type Ask<R> = (record: R) => boolean | Promise<boolean>

async function keepAllowed<T>(items: readonly T[], isAllowed: Ask<T>): Promise<readonly T[]> {
  const allowed = await Promise.all(items.map(isAllowed))
  return items.filter((_, index) => allowed[index])
}

/** The names of the first page. */
async function keepNames(
  { services, principal, request }: Searcher,
  page: SearchPage,
): Promise<Pick<SearchPage, 'entities' | 'collections' | 'containers'>> {
  const question = { auth: services.auth, principal, request }
  return {
    entities: await keepAllowed(page.entities, (record) => may(question, 'pull', entityResource(record.name, record))),
    collections: await keepAllowed(page.collections, (record) =>
      may(question, 'pull', collectionResource({ entity: record.entityName, collection: record.name }, record)),
    ),
    containers: await keepAllowed(page.containers, (record) =>
      may(
        question,
        'pull',
        containerResource(
          { entity: record.entityName, collection: record.collectionName, container: record.name },
          record,
        ),
      ),
    ),
  }
}

/** Containers repeat: each is asked about once. */
function askOnce({ services, principal, request }: Searcher): Ask<ImageInContainer> {
  const question = { auth: services.auth, principal, request }
  const asked = new Map<string, boolean | Promise<boolean>>()
  return ({ container }) => {
    const answer = asked.get(container.id) ?? may(question, 'pull', imageResource(container))
    asked.set(container.id, answer)
    return answer
  }
}

/**
 * Where rows are asked about one by one, pages of the store are read until the answer is full and
 * one more visible row is known: `next` must say nothing of hidden ones. For the same reason the
 * pages have their own size, whatever the client asks for: with a small one it could count what is
 * hidden between two rows of its own.
 */
async function readAllowed(context: Searcher, query: SearchQuery): Promise<SearchPage> {
  const { metadata } = context.services
  const isAllowed = askOnce(context)
  const images: SearchPage['images'][number][] = []
  let names: Pick<SearchPage, 'entities' | 'collections' | 'containers'> | undefined
  let { after } = query
  for (let round = 0; round < maxRounds; round += 1) {
    const page: SearchPage = await metadata.search(pageAfter(query, { after, limit: rowsAtOnce }))
    if (names === undefined) {
      const kept = await keepNames(context, page)
      const first = <T>(records: readonly T[]) => records.slice(0, query.limit)
      names = {
        entities: first(kept.entities),
        collections: first(kept.collections),
        containers: first(kept.containers),
      }
    }
    const allowed = await Promise.all(page.images.map(isAllowed))
    for (const [index, row] of page.images.entries()) {
      if (allowed[index] !== true) continue
      if (images.length === query.limit) return { ...names, images, next: images.at(-1)?.after }
      images.push(row)
    }
    after = page.next
    if (after === undefined) break
  }
  // after thousands of hidden rows the client may go on where this ended
  return { entities: [], collections: [], containers: [], ...names, images, next: after }
}

function pageAfter(
  { after: _, ...query }: SearchQuery,
  { after, limit }: { readonly after: string | undefined; readonly limit: number },
): SearchQuery {
  return { ...query, limit, ...(after === undefined ? {} : { after }) }
}

function shorten(text: string): string {
  if (text.length <= maxDescription) return text
  // not in the middle of a character
  return `${text.slice(0, maxDescription - 1).replace(/[\uD800-\uDBFF]$/, '')}…`
}

/**
 * A page of a thousand long descriptions would be an answer of many megabytes; the thing itself has
 * its whole description.
 */
function withShortTexts<T extends { readonly description: string; readonly containerDescription?: string }>(
  object: T,
): T {
  const { description, containerDescription } = object
  if (description.length <= maxDescription && (containerDescription ?? '').length <= maxDescription) return object
  return {
    ...object,
    description: shorten(description),
    ...(containerDescription === undefined ? {} : { containerDescription: shorten(containerDescription) }),
  }
}

/** What the searcher may see of what matches. */
export async function searchVisible(searcher: Searcher, query: Omit<SearchQuery, 'visibility'>): Promise<SearchPage> {
  const { visibility, askEachRow } = await readVisibility(searcher)
  return askEachRow
    ? readAllowed(searcher, { ...query, visibility })
    : searcher.services.metadata.search({ ...query, visibility })
}

export async function search(context: Context): Promise<LibraryResponse> {
  const { services, principal } = context
  const asked = readQuery(context)
  const { page: cursor } = context.query
  const scope = scopeOf(asked, principal)
  const query = {
    ...asked,
    ...(cursor === undefined || cursor === '' ? {} : { after: services.cursors.open(cursor, scope) }),
  }
  const page = await searchVisible(context, query)
  const { maxEntityBytes } = services.settings.limits
  const entity = writeList(page.entities, maxNamesBytes, (record) =>
    withShortTexts(entityObject(record, { viewer: principal, defaultQuotaBytes: maxEntityBytes, showsUsage: false })),
  )
  const collection = writeList(page.collections, maxNamesBytes, (record) =>
    withShortTexts(collectionObject(record, principal)),
  )
  const container = writeList(page.containers, maxNamesBytes, (record) =>
    withShortTexts(containerObject(record, principal)),
  )
  const room = maxAnswerBytes - entity.bytes - collection.bytes - container.bytes
  const image = writeList(page.images, room, (found) => withShortTexts(foundObject(found, principal)))
  const next = image.count < page.images.length ? page.images[image.count - 1]?.after : page.next
  const data = `{"entity":${entity.text},"collection":${collection.text},"container":${container.text},"image":${image.text}}`
  return jsonTextResponse(
    `{"data":${data}${next === undefined ? '' : `,"page":${JSON.stringify({ next: services.cursors.seal(next, scope) })}`}}`,
  )
}

/** As much as a list shows of an image: what anybody may claim about it in any number is cut. */
function foundObject({ image, container, tags }: SearchPage['images'][number], viewer: Viewer): ImageObject {
  const { fingerprints } = image
  const shown =
    fingerprints.length > maxFingerprints ? { ...image, fingerprints: fingerprints.slice(0, maxFingerprints) } : image
  return imageObject(shown, container, viewer, tags.slice(0, maxTags))
}

/**
 * The first of the items as a JSON list of so many bytes at the most, and how many they are; one at
 * the least.
 */
function writeList<T>(
  items: readonly T[],
  maxBytes: number,
  toObject: (item: T) => object,
): { readonly text: string; readonly bytes: number; readonly count: number } {
  const texts: string[] = []
  let bytes = 2
  for (const item of items) {
    const text = JSON.stringify(toObject(item))
    bytes += Buffer.byteLength(text) + 1
    if (bytes > maxBytes && texts.length > 0) break
    texts.push(text)
  }
  return { text: `[${texts.join(',')}]`, bytes, count: texts.length }
}
