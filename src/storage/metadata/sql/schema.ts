import { listSteps } from './later-steps.js'
import type { Dialect } from './steps.js'

/**
 * The schema as numbered steps, forward only: a step that was released is never changed, a new one
 * is added at the end. Times are milliseconds, sizes bytes, flags 0 or 1, lists JSON. Names can't
 * change, so they are repeated below where a lookup by path wants them in one index; the checks are
 * the last line of defence for the counters, which the store keeps exact itself.
 */
export type Migration = (dialect: Dialect) => readonly string[]

const names: Migration = ({ text }) => [
  `CREATE TABLE entities (
    id ${text} PRIMARY KEY, name ${text} NOT NULL UNIQUE, description ${text} NOT NULL, default_private INTEGER NOT NULL, quota_bytes BIGINT,
    used_bytes BIGINT NOT NULL DEFAULT 0 CHECK (used_bytes >= 0), reserved_bytes BIGINT NOT NULL DEFAULT 0 CHECK (reserved_bytes >= 0),
    owner ${text}, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)`,
  `CREATE TABLE collections (
    id ${text} PRIMARY KEY, entity_id ${text} NOT NULL REFERENCES entities (id), entity_name ${text} NOT NULL, name ${text} NOT NULL, description ${text} NOT NULL,
    private INTEGER NOT NULL, owner ${text}, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, UNIQUE (entity_name, name))`,
  'CREATE UNIQUE INDEX collections_of_entity ON collections (entity_id, name)',
  `CREATE TABLE containers (
    id ${text} PRIMARY KEY, entity_id ${text} NOT NULL, entity_name ${text} NOT NULL,
    collection_id ${text} NOT NULL REFERENCES collections (id), collection_name ${text} NOT NULL, collection_private INTEGER NOT NULL,
    name ${text} NOT NULL, description ${text} NOT NULL, private INTEGER NOT NULL, download_count BIGINT NOT NULL DEFAULT 0,
    owner ${text}, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, UNIQUE (entity_name, collection_name, name))`,
  'CREATE UNIQUE INDEX containers_of_collection ON containers (collection_id, name)',
]

const images: Migration = ({ text, clustered }) => [
  `CREATE TABLE blobs (
    blob_key ${text} PRIMARY KEY, digest ${text} NOT NULL, size BIGINT NOT NULL, created_at BIGINT NOT NULL, unreferenced_at BIGINT)`,
  'CREATE INDEX blobs_unreferenced ON blobs (unreferenced_at, blob_key) WHERE unreferenced_at IS NOT NULL',
  `CREATE TABLE images (
    id ${text} PRIMARY KEY, container_id ${text} NOT NULL REFERENCES containers (id), digest ${text} NOT NULL, description ${text} NOT NULL, state ${text} NOT NULL,
    size BIGINT NOT NULL, blob_key ${text} REFERENCES blobs (blob_key), arch ${text}, arch_from_header INTEGER NOT NULL, signed INTEGER, encrypted INTEGER,
    fingerprints ${text} NOT NULL, owner ${text}, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, published_at BIGINT, UNIQUE (container_id, digest))`,
  'CREATE INDEX images_by_digest ON images (digest, state, published_at)',
  'CREATE INDEX images_by_blob ON images (blob_key) WHERE blob_key IS NOT NULL',
  `CREATE TABLE tags (
    container_id ${text} NOT NULL REFERENCES containers (id), arch ${text} NOT NULL, tag ${text} NOT NULL,
    image_id ${text} NOT NULL REFERENCES images (id), updated_at BIGINT NOT NULL, PRIMARY KEY (container_id, arch, tag))${clustered}`,
  'CREATE INDEX tags_of_image ON tags (image_id, arch, tag)',
]

const uploads: Migration = ({ text }) => [
  // no references: the record of an upload outlives its image
  `CREATE TABLE uploads (
    id ${text} PRIMARY KEY, kind ${text} NOT NULL, state ${text} NOT NULL, image_id ${text} NOT NULL, container_id ${text} NOT NULL,
    entity_id ${text} NOT NULL, principal ${text}, blob_key ${text} NOT NULL, size BIGINT NOT NULL, digest ${text} NOT NULL,
    part_size BIGINT NOT NULL, total_parts INTEGER NOT NULL, backend_upload_id ${text}, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL)`,
  'CREATE INDEX uploads_of_image ON uploads (image_id, state)',
  'CREATE INDEX uploads_by_key ON uploads (blob_key)',
  'CREATE INDEX uploads_by_expiry ON uploads (state, expires_at)',
  'CREATE INDEX uploads_by_change ON uploads (state, updated_at)',
]

const accounts: Migration = ({ text }) => [
  `CREATE TABLE users (
    id ${text} PRIMARY KEY, name ${text} NOT NULL UNIQUE, admin INTEGER NOT NULL, group_names ${text} NOT NULL, created_at BIGINT NOT NULL)`,
  `CREATE TABLE tokens (
    id ${text} PRIMARY KEY, user_id ${text} NOT NULL REFERENCES users (id), label ${text} NOT NULL, hash ${text} NOT NULL UNIQUE, scopes ${text} NOT NULL,
    created_at BIGINT NOT NULL, expires_at BIGINT, last_used_at BIGINT)`,
  'CREATE INDEX tokens_of_user ON tokens (user_id)',
  `CREATE TABLE settings (name ${text} PRIMARY KEY, value ${text} NOT NULL)`,
]

/**
 * One table of documents per kind: a search for entities must not walk through the documents of a
 * million images that match as well.
 */
const documents: Migration = (dialect) => {
  const { text, serial } = dialect
  return [
    ...['search_entities', 'search_collections', 'search_containers'].flatMap((table) => [
      `CREATE TABLE ${table} (id ${serial} PRIMARY KEY, ref_id ${text} NOT NULL UNIQUE, text ${text} NOT NULL)`,
      ...dialect.indexText(table),
    ]),
    `CREATE TABLE search_images (
      id ${serial} PRIMARY KEY, ref_id ${text} NOT NULL UNIQUE, container_id ${text} NOT NULL, arch ${text}, signed INTEGER, text ${text} NOT NULL)`,
    ...dialect.indexText('search_images'),
  ]
}

const first: Migration = (dialect) => [names, images, uploads, accounts, documents].flatMap((part) => part(dialect))

/** What an upload was completed with: a repeated complete is told from one with other parts. */
const completedParts: Migration = ({ text }) => [`ALTER TABLE uploads ADD COLUMN parts_digest ${text}`]

/** Which records need a new sidecar: at first all that there are. */
const recordChanges: Migration = ({ text, serial, neverReusedSuffix }) => [
  `CREATE TABLE record_changes (seq ${serial} PRIMARY KEY${neverReusedSuffix}, kind ${text} NOT NULL, target_id ${text} NOT NULL, digest ${text})`,
  'CREATE INDEX record_changes_of ON record_changes (target_id, kind)',
  ...(['entities', 'collections', 'containers'] as const).map(
    (table) =>
      `INSERT INTO record_changes (kind, target_id) SELECT '${{ entities: 'entity', collections: 'collection', containers: 'container' }[table]}', id FROM ${table}`,
  ),
  `INSERT INTO record_changes (kind, target_id, digest) SELECT 'image', id, digest FROM images WHERE blob_key IS NOT NULL`,
]

/**
 * The few images that wait for a proof or were found damaged, which every start of a server asks
 * for: without it each asking reads a million published ones.
 */
const unpublished: Migration = () => [`CREATE INDEX images_unpublished ON images (id) WHERE state <> 'published'`]

/**
 * Searches for an arch that few images have: without it a search looks at all that match in name.
 */
const archs: Migration = () => ['CREATE INDEX search_images_arch ON search_images (arch, id)']

/** Ended uploads whose parts may still lie in the storage, which every sweep asks for. */
const withLeftoverParts: Migration = () => [
  `CREATE INDEX uploads_undropped ON uploads (id) WHERE state IN ('aborted', 'expired') AND backend_upload_id IS NOT NULL`,
]

/** Small JSON records of extensions. */
const extensionDocuments: Migration = ({ text, serial, neverReusedSuffix }) => [
  `CREATE TABLE documents (version ${serial} PRIMARY KEY${neverReusedSuffix}, extension ${text} NOT NULL, kind ${text} NOT NULL, id ${text} NOT NULL,
    sort ${text}, value ${text} NOT NULL, updated_at BIGINT NOT NULL, UNIQUE (extension, kind, id))`,
  'CREATE INDEX documents_by_index ON documents (extension, kind, sort, id) WHERE sort IS NOT NULL',
]

/**
 * What bounds are checked by: how many collections, containers and images an entity holds, the
 * uploads of one principal, and the images of one owner that have no bytes.
 */
const bounds: Migration = () => [
  'ALTER TABLE entities ADD COLUMN records BIGINT NOT NULL DEFAULT 0',
  `UPDATE entities SET records = (SELECT count(*) FROM collections n WHERE n.entity_name = entities.name)
    + (SELECT count(*) FROM containers c WHERE c.entity_name = entities.name)
    + (SELECT count(*) FROM containers c JOIN images i ON i.container_id = c.id WHERE c.entity_name = entities.name)`,
  'CREATE INDEX uploads_of_principal ON uploads (principal, state, updated_at)',
  `CREATE INDEX images_pending_of ON images (owner) WHERE state = 'pending'`,
]

/** Names of users who were removed: what they left is not for the next one of that name. */
const retiredNames: Migration = ({ text }) => [
  `CREATE TABLE retired_names (name ${text} PRIMARY KEY, user_id ${text} NOT NULL)`,
]

/**
 * What was read in the bytes of each blob; the rows that wait for it are found by their version, 0
 * for none.
 */
export const blobInspections: Migration = ({ text }) => [
  'ALTER TABLE blobs ADD COLUMN inspection_version INTEGER NOT NULL DEFAULT 0',
  'ALTER TABLE blobs ADD COLUMN inspected_at BIGINT',
  `ALTER TABLE blobs ADD COLUMN inspection ${text}`,
  'CREATE INDEX blobs_by_inspection ON blobs (inspection_version, blob_key) WHERE unreferenced_at IS NULL',
]

/**
 * What lists show and are ordered by, kept with every change, and what people and the registry did.
 * Only what takes no time: the rest of it, over what is in the tables already, is done in steps
 * (`later-steps.ts`), between which others may read.
 */
const listed: Migration = ({ text, serial, neverReusedSuffix, clustered }) => [
  'ALTER TABLE entities ADD COLUMN image_count BIGINT NOT NULL DEFAULT 0',
  'ALTER TABLE collections ADD COLUMN used_bytes BIGINT NOT NULL DEFAULT 0',
  'ALTER TABLE collections ADD COLUMN image_count BIGINT NOT NULL DEFAULT 0',
  ...[
    'used_bytes BIGINT NOT NULL DEFAULT 0',
    'image_count BIGINT NOT NULL DEFAULT 0',
    `archs ${text} NOT NULL DEFAULT '[]'`,
  ].map((column) => `ALTER TABLE containers ADD COLUMN ${column}`),
  ...[`latest_arch ${text}`, `latest_tag ${text}`, 'last_pulled_at BIGINT', 'changed_at BIGINT NOT NULL DEFAULT 0'].map(
    (column) => `ALTER TABLE containers ADD COLUMN ${column}`,
  ),
  // while it is being deleted a container has no images that anybody sees, and a name that nobody
  // can ask for
  ...[`changed_by ${text}`, 'deleting_at BIGINT'].map((column) => `ALTER TABLE containers ADD COLUMN ${column}`),
  ...['download_count BIGINT NOT NULL DEFAULT 0', 'last_pulled_at BIGINT', `pushed_by_name ${text}`].map(
    (column) => `ALTER TABLE images ADD COLUMN ${column}`,
  ),
  `ALTER TABLE tags ADD COLUMN changed_by ${text}`,
  // no references: history and events outlive what they are about
  `CREATE TABLE tag_history (seq ${serial} PRIMARY KEY${neverReusedSuffix}, container_id ${text} NOT NULL, at BIGINT NOT NULL, by_id ${text}, by_name ${text},
    arch ${text} NOT NULL, tag ${text} NOT NULL, digest ${text}, previous ${text}, via ${text} NOT NULL)`,
  'CREATE INDEX tag_history_of_container ON tag_history (container_id, seq)',
  'CREATE INDEX tag_history_of_tag ON tag_history (container_id, tag, seq)',
  `CREATE TABLE events (seq ${serial} PRIMARY KEY${neverReusedSuffix}, at BIGINT NOT NULL, action ${text} NOT NULL, actor_id ${text}, actor_name ${text},
    via ${text} NOT NULL, token_id ${text}, path ${text}, entity_id ${text}, container_id ${text}, digest ${text}, tag ${text}, arch ${text},
    request_id ${text}, details ${text} NOT NULL)`,
  'CREATE INDEX events_of_entity ON events (entity_id, seq) WHERE entity_id IS NOT NULL',
  'CREATE INDEX events_of_container ON events (container_id, seq) WHERE container_id IS NOT NULL',
  'CREATE INDEX events_of_actor ON events (actor_name, seq) WHERE actor_name IS NOT NULL',
  'CREATE INDEX events_by_time ON events (at, seq)',
  `CREATE TABLE pulls_day (scope ${text} NOT NULL, id ${text} NOT NULL, day INTEGER NOT NULL, pulls BIGINT NOT NULL, PRIMARY KEY (scope, id, day))${clustered}`,
  `CREATE INDEX pulls_day_fine ON pulls_day (day, scope, id) WHERE scope IN ('image', 'container')`,
  `CREATE TABLE usage_day (entity_id ${text} NOT NULL, day INTEGER NOT NULL, used_bytes BIGINT NOT NULL, images BIGINT NOT NULL,
    PRIMARY KEY (entity_id, day))${clustered}`,
  // in slots, so that pushes to different entities do not wait for each other
  `CREATE TABLE counters (slot INTEGER PRIMARY KEY, containers BIGINT NOT NULL, images BIGINT NOT NULL, bytes BIGINT NOT NULL,
    public_containers BIGINT NOT NULL, public_images BIGINT NOT NULL, public_bytes BIGINT NOT NULL)`,
  `INSERT INTO counters VALUES ${Array.from({ length: 16 }, (_, slot) => `(${slot}, 0, 0, 0, 0, 0, 0)`).join(', ')}`,
  `INSERT INTO schema_steps (name, position) VALUES ${listSteps.map((name) => `('${name}', '')`).join(', ')}`,
]

/**
 * Sessions of browsers and one-time codes beside tokens. The database itself ends a session with
 * its parent, so that none can be made of a token that is being revoked.
 */
export const sessions: Migration = ({ text }) => [
  `ALTER TABLE tokens ADD COLUMN kind ${text} NOT NULL DEFAULT 'token'`,
  `ALTER TABLE tokens ADD COLUMN parent_id ${text} REFERENCES tokens (id) ON DELETE CASCADE`,
  'CREATE INDEX tokens_of_parent ON tokens (parent_id) WHERE parent_id IS NOT NULL',
  `CREATE INDEX tokens_that_end ON tokens (expires_at) WHERE kind <> 'token'`,
]

/**
 * Members of entities. `subject` is the id of a user, which nobody gets again, or the name of a
 * group.
 */
export const members: Migration = ({ text }) => [
  `CREATE TABLE members (
    entity_id ${text} NOT NULL REFERENCES entities (id) ON DELETE CASCADE, kind ${text} NOT NULL, subject ${text} NOT NULL,
    user_id ${text} REFERENCES users (id) ON DELETE CASCADE, role ${text} NOT NULL, created_at BIGINT NOT NULL,
    PRIMARY KEY (entity_id, kind, subject))`,
  'CREATE INDEX members_of_subject ON members (subject, kind)',
  'CREATE INDEX members_of_user ON members (user_id) WHERE user_id IS NOT NULL',
]

/** The step at index n leads from version n to n + 1. */
export const migrations: readonly Migration[] = [
  first,
  completedParts,
  recordChanges,
  unpublished,
  archs,
  withLeftoverParts,
  extensionDocuments,
  bounds,
  retiredNames,
  blobInspections,
  listed,
  sessions,
  members,
]
