/**
 * What a migration does to the rows that are there already: in steps that each are one short
 * transaction, so that others may read between them, and whoever comes after a process that died
 * goes on where it was. A new database has no rows, and takes all of them with its schema.
 */
import { slotOf } from './contents.js'
import { dayOf } from './days.js'
import type { Dialect, Row, Steps } from './steps.js'

/** Goes on behind the position, at first `''`; returns the next one, or undefined at the end. */
type LaterStep = (position: string, dialect: Dialect) => Steps<string | undefined>

const atOnce = 500

/** Runs one statement for the rows of a table, by id, so many at once. */
const inPortions = (table: string, sql: (dialect: Dialect) => string): LaterStep =>
  function* (position, dialect) {
    const last = yield {
      sql: `SELECT max(id) AS id FROM (SELECT id FROM ${table} WHERE id > ? ORDER BY id LIMIT ${atOnce}) AS portion`,
      values: [position],
    }
    const id = (last[0]?.id ?? undefined) as string | undefined
    if (id === undefined) return undefined
    yield { sql: `${sql(dialect)} WHERE id > ? AND id <= ?`, values: [position, id] }
    return id
  }

const imagesOf = (what: string): string =>
  `(SELECT ${what} FROM images i WHERE i.container_id = containers.id AND i.blob_key IS NOT NULL)`
const latestOf = (column: string): string =>
  `(SELECT ${column} FROM tags t WHERE t.container_id = containers.id ORDER BY updated_at DESC, tag DESC, arch DESC LIMIT 1)`

const fillContainers = inPortions(
  'containers',
  (
    dialect,
  ) => `UPDATE containers SET used_bytes = COALESCE(${imagesOf('sum(i.size)')}, 0), image_count = ${imagesOf('count(*)')},
    changed_at = CASE WHEN COALESCE(${imagesOf('max(i.updated_at)')}, 0) > updated_at THEN ${imagesOf('max(i.updated_at)')} ELSE updated_at END,
    latest_arch = ${latestOf('arch')}, latest_tag = ${latestOf('tag')},
    archs = COALESCE((SELECT ${dialect.jsonList('arch')} FROM
      (SELECT DISTINCT arch FROM tags t WHERE t.container_id = containers.id ORDER BY arch) AS found), '[]')`,
)

const contentsOf = (column: string, owner: string, condition: string): string =>
  `COALESCE((SELECT sum(c.${column}) FROM containers c WHERE c.${owner} = ${condition}), 0)`

const fillCollections = inPortions(
  'collections',
  () => `UPDATE collections SET used_bytes = ${contentsOf('used_bytes', 'collection_id', 'collections.id')},
    image_count = ${contentsOf('image_count', 'collection_id', 'collections.id')}`,
)

const fillEntities = inPortions(
  'entities',
  () => `UPDATE entities SET image_count = ${contentsOf('image_count', 'entity_name', 'entities.name')}`,
)

function* fillTotals(): Steps<undefined> {
  const numbers = (row: Row): readonly number[] => [row.containers, row.images, row.bytes].map(Number)
  const sums = `count(*) AS containers, COALESCE(sum(image_count), 0) AS images, COALESCE(sum(used_bytes), 0) AS bytes`
  const groups = yield {
    sql: `SELECT substr(entity_id, 24, 1) AS digit, private | collection_private AS hidden, ${sums} FROM containers
      GROUP BY substr(entity_id, 24, 1), private | collection_private`,
    values: [],
  }
  yield {
    sql: `UPDATE counters SET containers = 0, images = 0, bytes = 0, public_containers = 0, public_images = 0, public_bytes = 0`,
    values: [],
  }
  for (const row of groups) {
    const [containers = 0, images = 0, bytes = 0] = numbers(row)
    const isPublic = Number(row.hidden) === 0 ? 1 : 0
    yield {
      sql: `UPDATE counters SET containers = containers + ?, images = images + ?, bytes = bytes + ?, public_containers = public_containers + ?,
        public_images = public_images + ?, public_bytes = public_bytes + ? WHERE slot = ?`,
      values: [
        containers,
        images,
        bytes,
        containers * isPublic,
        images * isPublic,
        bytes * isPublic,
        slotOf(row.digit as string),
      ],
    }
  }
  yield {
    sql: `INSERT INTO usage_day (entity_id, day, used_bytes, images) SELECT id, CAST(? AS INTEGER), used_bytes, image_count FROM entities WHERE used_bytes > 0
      ON CONFLICT (entity_id, day) DO NOTHING`,
    values: [dayOf(Date.now())],
  }
  return undefined
}

/** A container is hidden by its own flag or by that of its collection. */
export const hiddenContainer = '(private | collection_private)'

const indexes: Readonly<Record<string, string>> = {
  containers_by_name: `containers (${hiddenContainer}, entity_name, collection_name, name)`,
  containers_by_change: `containers (${hiddenContainer}, changed_at, id)`,
  containers_by_pulls: `containers (${hiddenContainer}, download_count, id)`,
  containers_by_size: `containers (${hiddenContainer}, used_bytes, id)`,
  containers_of_entity_by_name: `containers (entity_name, ${hiddenContainer}, collection_name, name)`,
  containers_of_entity_by_change: `containers (entity_name, ${hiddenContainer}, changed_at, id)`,
  containers_of_entity_by_pulls: `containers (entity_name, ${hiddenContainer}, download_count, id)`,
  containers_of_entity_by_size: `containers (entity_name, ${hiddenContainer}, used_bytes, id)`,
  containers_of_owner: 'containers (owner) WHERE owner IS NOT NULL',
  containers_deleting: 'containers (id) WHERE deleting_at IS NOT NULL',
  collections_by_name: 'collections (private, entity_name, name)',
  collections_by_change: 'collections (private, updated_at, id)',
  collections_by_size: 'collections (private, used_bytes, id)',
  collections_of_entity_by_name: 'collections (entity_name, private, name)',
  collections_of_entity_by_change: 'collections (entity_name, private, updated_at, id)',
  collections_of_entity_by_size: 'collections (entity_name, private, used_bytes, id)',
  entities_by_name: 'entities (default_private, name)',
  entities_by_change: 'entities (default_private, updated_at, id)',
  entities_by_size: 'entities (default_private, used_bytes, id)',
  images_of_container: 'images (container_id, published_at, id) WHERE published_at IS NOT NULL',
  tags_by_name: 'tags (container_id, tag, arch)',
  tags_by_change: 'tags (container_id, updated_at, tag, arch)',
  uploads_of_entity: `uploads (entity_id, id) WHERE state IN ('open', 'completing')`,
  uploads_under_way: `uploads (id) WHERE state IN ('open', 'completing')`,
}

function makeIndex(name: string, on: string): LaterStep {
  return function* () {
    yield { sql: `CREATE INDEX IF NOT EXISTS ${name} ON ${on}`, values: [] }
    return undefined
  }
}

/** In this order. */
const steps: Readonly<Record<string, LaterStep>> = {
  'containers: sizes, latest tags and archs': fillContainers,
  'collections: sizes': fillCollections,
  'entities: images': fillEntities,
  totals: fillTotals,
  ...Object.fromEntries(Object.entries(indexes).map(([name, on]) => [`index ${name}`, makeIndex(name, on)])),
}

/** Those of the migration that brought the lists. */
export const listSteps: readonly string[] = Object.keys(steps)

/**
 * Does one portion of what is left; returns the name of its step, or undefined when nothing is
 * left.
 */
export function* laterStep(dialect: Dialect): Steps<string | undefined> {
  const left = yield { sql: 'SELECT name, position FROM schema_steps', values: [] }
  const next = listSteps.find((name) => left.some((row) => row.name === name))
  if (next === undefined) return undefined
  const at = left.find((row) => row.name === next)?.position as string
  const position = yield* steps[next]?.(at, dialect) ?? none()
  if (position === undefined) yield { sql: 'DELETE FROM schema_steps WHERE name = ?', values: [next] }
  else yield { sql: 'UPDATE schema_steps SET position = ? WHERE name = ?', values: [position, next] }
  return next
}

// biome-ignore lint/correctness/useYield: an empty step
function* none(): Steps<undefined> {
  return undefined
}
