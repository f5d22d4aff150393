/** Lists of entities, collections and containers. */
import type {
  CollectionPageQuery,
  CollectionSummary,
  ContainerPageQuery,
  ContainerSummary,
  EntityPageQuery,
  EntitySummary,
  LatestTag,
  Page,
} from '../contract.js'
import {
  type Branch,
  both,
  byText,
  type Conditions,
  condition,
  inOrderOf,
  type Key,
  narrowSet,
  type Order,
  placeBranches,
  placeFilter,
  readPage,
  startsWith,
  unconditional,
} from './pages.js'
import {
  collectionColumns,
  collectionOf,
  containerColumnsOf,
  containerOf,
  entityColumns,
  entityOf,
  flagOf,
  listOf,
} from './rows.js'
import { type Dialect, isListed, listValue, type Row, type Steps, selectAll } from './steps.js'

const text = (column: string): Key => ({ column, type: 'text' })
const number = (column: string): Key => ({ column, type: 'number' })
const newest = (column: string): Order => ({ keys: [number(column), text('n.id')], descending: true })
const ascending = (...columns: readonly string[]): Order => ({ keys: columns.map(text), descending: false })

const prefixed = (columns: string): string => columns.replace(/\w+/g, 'n.$&')
const ofOwner = (owner: string | undefined): Conditions =>
  owner === undefined ? unconditional : condition('n.owner = ?', owner)

const entityOrders: Readonly<Record<EntityPageQuery['sort'], Order>> = {
  name: ascending('n.name'),
  '-usedBytes': newest('n.used_bytes'),
  '-updatedAt': newest('n.updated_at'),
}

const entitySummaryOf = (row: Row): EntitySummary => ({ ...entityOf(row), imageCount: row.image_count as number })

export function* entitiesOf(dialect: Dialect, ids: readonly string[]): Steps<readonly EntitySummary[]> {
  const sql = `SELECT ${prefixed(entityColumns)}, n.image_count FROM entities n WHERE ${isListed(dialect, 'n.id')}`
  return inOrderOf(ids, yield* selectAll(entitySummaryOf, sql, listValue(ids)))
}

export function* entityPage(dialect: Dialect, query: EntityPageQuery): Steps<Page<EntitySummary>> {
  const { visibility, names } = query
  const found = yield* byText(dialect, 'search_entities', query.q)
  const mine = typeof visibility === 'string' ? undefined : visibility.entities
  const wanted = names === undefined ? unconditional : condition(isListed(dialect, 'n.name'), listValue(names))
  const seen =
    visibility === 'all'
      ? unconditional
      : mine === undefined || mine.length === 0
        ? condition('n.default_private = 0')
        : condition(`(n.default_private = 0 OR ${isListed(dialect, 'n.name')})`, listValue(mine))
  const flagged = (flag: number): Branch => condition(`n.default_private = ${flag}`)
  const flags = (query.private === undefined ? [0, 1] : [query.private ? 1 : 0]).filter(
    (flag) => flag === 0 || visibility === 'all' || mine !== undefined,
  )
  const own = both(startsWith('n.name', query.prefix), ofOwner(query.owner), found.filter)
  const isFlag = query.private === undefined ? unconditional : flagged(query.private ? 1 : 0)
  // those that were named are few, or as many as somebody cared to name
  const narrow =
    names === undefined
      ? found.narrow
      : yield* narrowSet(`SELECT n.id AS id FROM entities n WHERE ${isListed(dialect, 'n.name')}`, listValue(names))
  const { ids, next } = yield* readPage(dialect, {
    table: 'entities n',
    order: entityOrders[query.sort],
    branches: flags.map((flag) =>
      flag === 1 && visibility !== 'all'
        ? both(flagged(1), condition(isListed(dialect, 'n.name'), listValue(mine ?? [])))
        : flagged(flag),
    ),
    filter: narrow === undefined ? both(own, wanted) : both(seen, isFlag, own, wanted),
    ...{ narrow, after: query.after, limit: query.limit },
  })
  return { items: yield* entitiesOf(dialect, ids), next }
}

const collectionOrders: Readonly<Record<CollectionPageQuery['sort'], Order>> = {
  name: ascending('n.entity_name', 'n.name'),
  '-usedBytes': newest('n.used_bytes'),
  '-updatedAt': newest('n.updated_at'),
}
const collectionPlace = { hidden: 'n.private', entity: 'n.entity_name' }

const collectionSummaryOf = (row: Row): CollectionSummary => ({
  ...collectionOf(row),
  usedBytes: row.used_bytes as number,
  imageCount: row.image_count as number,
})

export function* collectionsOf(dialect: Dialect, ids: readonly string[]): Steps<readonly CollectionSummary[]> {
  const sql = `SELECT ${prefixed(collectionColumns)}, n.used_bytes, n.image_count FROM collections n WHERE ${isListed(dialect, 'n.id')}`
  return inOrderOf(ids, yield* selectAll(collectionSummaryOf, sql, listValue(ids)))
}

export function* collectionPage(dialect: Dialect, query: CollectionPageQuery): Steps<Page<CollectionSummary>> {
  const found = yield* byText(dialect, 'search_collections', query.q)
  const scope = { entities: query.entity === undefined ? undefined : [query.entity], isPrivate: query.private }
  const place = placeBranches(dialect, collectionPlace, {
    visibility: query.visibility,
    ...scope,
    byName: query.sort === 'name',
  })
  const own = both(startsWith('n.name', query.prefix), ofOwner(query.owner), found.filter)
  const isNarrow = found.narrow !== undefined
  const { ids, next } = yield* readPage(dialect, {
    table: 'collections n',
    order: collectionOrders[query.sort],
    branches:
      query.entity !== undefined && query.sort === 'name' ? withPrefix(place.branches, query.prefix) : place.branches,
    filter: isNarrow
      ? both(placeFilter(dialect, collectionPlace, query.visibility, scope), own)
      : both(place.filter, own),
    ...{ narrow: found.narrow, after: query.after, limit: query.limit },
  })
  return { items: yield* collectionsOf(dialect, ids), next }
}

const containerOrders: Readonly<Record<ContainerPageQuery['sort'], Order>> = {
  name: ascending('n.entity_name', 'n.collection_name', 'n.name'),
  '-updatedAt': newest('n.changed_at'),
  '-pulls': newest('n.download_count'),
  '-usedBytes': newest('n.used_bytes'),
}
const notDeleting = condition('n.deleting_at IS NULL')
const containerPlace = { hidden: '(n.private | n.collection_private)', entity: 'n.entity_name' }

const summaryColumns = `${containerColumnsOf('n')}, n.used_bytes, n.image_count, n.archs, n.last_pulled_at, n.changed_at, n.changed_by,
  t.arch AS latest_arch, t.tag AS latest_tag, t.image_id AS latest_image, t.updated_at AS latest_updated_at, i.digest, i.size, i.signed`
const withLatest = `containers n LEFT JOIN tags t ON t.container_id = n.id AND t.arch = n.latest_arch AND t.tag = n.latest_tag LEFT JOIN images i ON i.id = t.image_id`

function latestOf(row: Row): LatestTag | null {
  if (row.latest_image === null) return null
  return {
    arch: row.latest_arch as string,
    tag: row.latest_tag as string,
    imageId: row.latest_image as string,
    digest: row.digest as string,
    size: row.size as number,
    signed: flagOf(row.signed),
    updatedAt: row.latest_updated_at as number,
  }
}

const containerSummaryOf = (row: Row): ContainerSummary => ({
  ...containerOf(row),
  usedBytes: row.used_bytes as number,
  imageCount: row.image_count as number,
  archs: listOf(row.archs),
  latest: latestOf(row),
  lastPulledAt: row.last_pulled_at as number | null,
  changedAt: row.changed_at as number,
  changedBy: row.changed_by as string | null,
})

export function* containersOf(dialect: Dialect, ids: readonly string[]): Steps<readonly ContainerSummary[]> {
  const sql = `SELECT ${summaryColumns} FROM ${withLatest} WHERE ${isListed(dialect, 'n.id')} AND n.deleting_at IS NULL`
  return inOrderOf(ids, yield* selectAll(containerSummaryOf, sql, listValue(ids)))
}

/** What no index of the list says. */
function containerFilter({ owner, arch, signed, collectionId, prefix }: ContainerPageQuery): Conditions {
  // one value for each row: an EXISTS may be answered for all rows of the tables at once
  const isSigned = `COALESCE((SELECT i.signed FROM tags t JOIN images i ON i.id = t.image_id WHERE t.container_id = n.id AND t.arch = n.latest_arch
    AND t.tag = n.latest_tag LIMIT 1), 0)`
  return both(
    ofOwner(owner),
    startsWith('n.name', prefix),
    arch === undefined
      ? unconditional
      : condition(`n.archs LIKE ? ESCAPE '\\'`, `%${JSON.stringify(arch).replace(/[\\%_]/g, '\\$&')}%`),
    signed === undefined ? unconditional : condition(`${isSigned} = ${signed ? 1 : 0}`),
    collectionId === undefined ? unconditional : condition('n.collection_id = ?', collectionId),
  )
}

/** The containers that can pass at all, where they are few. */
function* fewContainers(
  { collectionId, owner }: ContainerPageQuery,
  found: readonly string[] | undefined,
): Steps<readonly string[] | undefined> {
  if (found !== undefined) return found
  const ofCollection =
    collectionId === undefined
      ? undefined
      : yield* narrowSet('SELECT n.id AS id FROM containers n WHERE n.collection_id = ?', collectionId)
  if (ofCollection !== undefined || owner === undefined) return ofCollection
  return yield* narrowSet('SELECT n.id AS id FROM containers n WHERE n.owner = ?', owner)
}

/** The entity of the collection whose containers are too many to be sorted. */
function* entitiesOfScope({ entities, collectionId }: ContainerPageQuery): Steps<readonly string[] | undefined> {
  if (collectionId === undefined) return entities
  const names = yield* selectAll(
    (row) => row.entity_name as string,
    'SELECT entity_name FROM collections WHERE id = ?',
    collectionId,
  )
  return entities === undefined ? names : names.filter((name) => entities.includes(name))
}

export function* containerPage(dialect: Dialect, query: ContainerPageQuery): Steps<Page<ContainerSummary>> {
  const { visibility, entities } = query
  const found = yield* byText(dialect, 'search_containers', query.q)
  const narrow = yield* fewContainers(query, found.narrow)
  const own = both(containerFilter(query), found.filter)
  const isPrivate = query.private
  const inCollection = query.sort === 'name' ? query.collectionId : undefined
  const place = placeBranches(dialect, containerPlace, {
    ...{ visibility, isPrivate, byName: query.sort === 'name' },
    entities: narrow === undefined && inCollection === undefined ? yield* entitiesOfScope(query) : entities,
  })
  const { ids, next } = yield* readPage(dialect, {
    table: 'containers n',
    order: inCollection === undefined ? containerOrders[query.sort] : ascending('n.name'),
    branches:
      inCollection === undefined
        ? place.branches
        : [both(condition('n.collection_id = ?', inCollection), startsWith('n.name', query.prefix))],
    filter:
      narrow === undefined && inCollection === undefined
        ? both(place.filter, own)
        : both(placeFilter(dialect, containerPlace, visibility, { entities, isPrivate }), own, notDeleting),
    ...{ narrow, after: query.after, limit: query.limit },
  })
  return { items: yield* containersOf(dialect, ids), next }
}

/** In one entity the names that start so lie together in the index. */
function withPrefix(branches: readonly Branch[], prefix: string | undefined): readonly Branch[] {
  return branches.map((branch) => ({ ...branch, ...both(branch, startsWith('n.name', prefix)) }))
}
