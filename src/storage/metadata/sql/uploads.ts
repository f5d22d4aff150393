import type { Activity, Page, UploadLimits, UploadRecord, UploadStore } from '../contract.js'
import { MetadataError } from '../errors.js'
import { inContainer, writeEvent } from './activity.js'
import { lockContainer } from './locks.js'
import { pageSize } from './names.js'
import { uploadColumns, uploadOf } from './rows.js'
import { changed, type Row, type SqlRunner, type Steps, selectAll, selectFirst } from './steps.js'
import { changeUsage, claimUsage } from './usage.js'

const forgottenAtOnce = 1000
/** As in the index `uploads_undropped`. */
const withLeftoverParts = `state IN ('aborted', 'expired') AND backend_upload_id IS NOT NULL`

/**
 * How many of the oldest records one new upload makes room by, of each state; more than it adds
 * itself.
 */
const forgottenWithNew = 10

/** Which uploads are those of the principal; with its values. */
function ofPrincipal(principal: string | null): { readonly sql: string; readonly values: readonly string[] } {
  // a database uses no index for `IS NOT DISTINCT FROM`
  return principal === null ? { sql: 'principal IS NULL', values: [] } : { sql: 'principal = ?', values: [principal] }
}

/** Each counts no further than its limit, in an index. */
function* checkLimits(imageId: string, principal: string | null, limits: UploadLimits): Steps<void> {
  const underWay = `state IN ('open', 'completing')`
  const isFull = (condition: string, limit: number, ...values: readonly string[]): Steps<boolean> =>
    changed(
      `SELECT id FROM uploads WHERE ${condition} AND ${underWay} LIMIT 1 OFFSET CAST(? AS INTEGER)`,
      ...values,
      limit - 1,
    )
  if (limits.ofImage !== undefined && (yield* isFull('image_id = ?', limits.ofImage, imageId)))
    throw new MetadataError('limit-exceeded', `${limits.ofImage} uploads of the image are under way`, {
      limit: 'uploads-of-image',
    })
  const mine = ofPrincipal(principal)
  if (limits.ofPrincipal !== undefined && (yield* isFull(mine.sql, limits.ofPrincipal, ...mine.values)))
    throw new MetadataError('limit-exceeded', `${limits.ofPrincipal} uploads of the principal are under way`, {
      limit: 'uploads-of-principal',
    })
}

/** Whoever starts and ends uploads all day leaves no more records than this. */
function* forgetEnded(principal: string | null, { endedOfPrincipal }: UploadLimits): Steps<void> {
  if (endedOfPrincipal === undefined) return
  const mine = ofPrincipal(principal)
  for (const state of ['completed', 'aborted', 'expired'] as const)
    yield {
      sql: `DELETE FROM uploads WHERE id IN (SELECT id FROM uploads WHERE ${mine.sql} AND state = ? ORDER BY updated_at DESC
        LIMIT ${forgottenWithNew} OFFSET CAST(? AS INTEGER)) AND NOT (${withLeftoverParts})`,
      values: [...mine.values, state, endedOfPrincipal],
    }
}

function* createUpload(upload: Parameters<UploadStore['create']>[0]): Steps<UploadRecord> {
  const container = yield* lockContainer(upload.containerId)
  const there =
    container?.entityId === upload.entityId &&
    (yield* changed('SELECT id FROM images WHERE id = ? AND container_id = ?', upload.imageId, upload.containerId))
  if (container === undefined || !there)
    throw new MetadataError('image-missing', 'the image of the upload does not exist in its container')
  if (upload.limits !== undefined) {
    yield* checkLimits(upload.imageId, upload.principal, upload.limits)
    yield* forgetEnded(upload.principal, upload.limits)
  }
  yield* writeEvent(upload.activity, {
    ...{ action: 'upload.started', at: upload.createdAt, ...inContainer(container), digest: upload.digest },
    details: { uploadId: upload.id, size: upload.size },
  })
  yield* claimUsage(upload.entityId, { reserved: upload.size, defaultQuotaBytes: upload.defaultQuotaBytes })
  const [row = {}] = yield {
    sql: `INSERT INTO uploads (${uploadColumns}) VALUES (?, ?, 'open', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL) RETURNING ${uploadColumns}`,
    values: [
      ...[
        upload.id,
        upload.kind,
        upload.imageId,
        upload.containerId,
        upload.entityId,
        upload.principal,
        upload.key,
        upload.size,
        upload.digest,
      ],
      ...[
        upload.partSize,
        upload.totalParts,
        upload.backendUploadId,
        upload.createdAt,
        upload.createdAt,
        upload.expiresAt,
      ],
    ],
  }
  return uploadOf(row)
}

/** The event of an upload that ended without an image; its container may be gone. */
function* writeEnd(
  moved: Row,
  {
    id,
    to,
    now,
    activity,
  }: { readonly id: string; readonly to: string; readonly now: number; readonly activity: Activity | undefined },
): Steps<void> {
  if (activity === undefined) return
  const containerId = moved.container_id as string
  const path = yield* selectFirst(
    (row) => `${row.entity_name}/${row.collection_name}/${row.name}`,
    'SELECT entity_name, collection_name, name FROM containers WHERE id = ? AND deleting_at IS NULL',
    containerId,
  )
  yield* writeEvent(activity, {
    ...{ action: 'upload.aborted', at: now, path: path ?? null, entityId: moved.entity_id as string, containerId },
    digest: moved.digest as string,
    details: { uploadId: id, size: moved.size as number, state: to },
  })
}

function* moveUpload(...[id, from, to, now, seen, activity]: Parameters<UploadStore['move']>): Steps<boolean> {
  // an upload that ended gave its reservation back, or turned it into usage, and never begins again
  if (from !== 'open' && from !== 'completing') return false
  const moved = (yield {
    sql: `UPDATE uploads SET state = ?, updated_at = ? WHERE id = ? AND state = ?${seen === undefined ? '' : ' AND updated_at = ?'} RETURNING size, entity_id, container_id, digest`,
    values: [to, now, id, from, ...(seen === undefined ? [] : [seen.updatedAt])],
  })[0]
  if (moved === undefined) return false
  if (to === 'aborted' || to === 'expired') {
    yield* writeEnd(moved, { id, to, now, activity })
    yield* changeUsage(moved.entity_id as string, { reserved: -(moved.size as number) })
  }
  return true
}

/** By id, which is random: an order that no upload changes while it goes on. */
function* uploadPage({
  entityId,
  principal,
  limit,
  after = '',
}: Parameters<UploadStore['page']>[0]): Steps<Page<UploadRecord>> {
  const underWay = `state IN ('open', 'completing')`
  const conditions = [
    ...(entityId === undefined ? [] : [{ sql: 'entity_id = ?', value: entityId }]),
    ...(principal === undefined ? [] : [{ sql: 'principal = ?', value: principal }]),
    { sql: 'id > ?', value: after },
  ]
  const size = pageSize(limit)
  const found = yield* selectAll(
    uploadOf,
    `SELECT ${uploadColumns} FROM uploads WHERE ${underWay} AND ${conditions.map(({ sql }) => sql).join(' AND ')} ORDER BY id LIMIT ?`,
    ...[...conditions.map(({ value }) => value), size + 1],
  )
  const items = found.slice(0, size)
  return { items, next: found.length > size ? items.at(-1)?.id : undefined }
}

export function uploadStore(runner: SqlRunner): UploadStore {
  const findInState = (
    state: 'open' | 'completing',
    imageId: string,
    principal: string | null,
    limit?: number,
  ): Promise<readonly UploadRecord[]> =>
    runner.run('read', () =>
      selectAll(
        uploadOf,
        `SELECT ${uploadColumns} FROM uploads WHERE image_id = ? AND state = ? AND principal IS NOT DISTINCT FROM ?
          ORDER BY created_at DESC, id DESC${limit === undefined ? '' : ' LIMIT ?'}`,
        ...[imageId, state, principal, ...(limit === undefined ? [] : [pageSize(limit)])],
      ),
    )

  return {
    create: (upload) => runner.run('transaction', () => createUpload(upload)),

    find: (id) =>
      runner.run('read', () => selectFirst(uploadOf, `SELECT ${uploadColumns} FROM uploads WHERE id = ?`, id)),

    findOpen: (imageId, principal, limit) => findInState('open', imageId, principal, limit),

    findCompleting: (imageId, principal) => findInState('completing', imageId, principal),

    page: (query) => runner.run('read', () => uploadPage(query)),

    move: (...change) => runner.run('transaction', () => moveUpload(...change)),

    touch: async (id, { state, expiresAt, now }) => {
      await runner.run('statement', () =>
        changed(
          `UPDATE uploads SET updated_at = ?, expires_at = ? WHERE id = ? AND state = ?`,
          now,
          expiresAt,
          id,
          state,
        ),
      )
    },

    findStale: ({ now, stuckSince, limit }) =>
      runner.run('read', () =>
        selectAll(
          uploadOf,
          `SELECT ${uploadColumns} FROM (SELECT * FROM uploads WHERE state = 'open' AND expires_at < ? ORDER BY expires_at LIMIT ?) AS expired
            UNION ALL SELECT ${uploadColumns} FROM (SELECT * FROM uploads WHERE state = 'completing' AND updated_at < ? ORDER BY updated_at LIMIT ?) AS stuck
            ORDER BY created_at, id LIMIT ?`,
          ...[now, pageSize(limit), stuckSince, pageSize(limit), pageSize(limit)],
        ),
      ),

    findWithLeftoverParts: ({ after = '', limit }) =>
      runner.run('read', () =>
        selectAll(
          uploadOf,
          `SELECT ${uploadColumns} FROM uploads WHERE ${withLeftoverParts} AND id > ? ORDER BY id LIMIT ?`,
          after,
          pageSize(limit),
        ),
      ),

    markPartsRemoved: async (id) => {
      await runner.run('statement', () =>
        changed(`UPDATE uploads SET backend_upload_id = NULL WHERE id = ? AND ${withLeftoverParts}`, id),
      )
    },

    forget: async (before) => {
      let total = 0
      for (;;) {
        // in portions, so that years of uploads do not stop everything else for seconds
        const forgotten = await runner.run('statement', () =>
          selectAll(
            (row) => row.id,
            `DELETE FROM uploads WHERE id IN (SELECT id FROM uploads WHERE state IN ('completed', 'aborted', 'expired') AND updated_at < ?
              AND NOT (${withLeftoverParts}) LIMIT ${forgottenAtOnce}) RETURNING id`,
            before,
          ),
        )
        total += forgotten.length
        if (forgotten.length < forgottenAtOnce) return total
      }
    },

    isKeyInUse: (key) =>
      runner.run('read', () =>
        changed(`SELECT id FROM uploads WHERE blob_key = ? AND state IN ('open', 'completing') LIMIT 1`, key),
      ),
  }
}
