import type { BlobStore } from '../contract.js'
import { pageSize } from './names.js'
import {
  blobColumns,
  blobOf,
  imageInContainerColumns,
  imageInContainerOf,
  inspectionOf,
  inspectionValues,
} from './rows.js'
import { changed, listValue, type SqlRunner, selectAll, selectFirst } from './steps.js'

export function blobStore(runner: SqlRunner): BlobStore {
  return {
    find: (key) =>
      runner.run('read', () => selectFirst(blobOf, `SELECT ${blobColumns} FROM blobs WHERE blob_key = ?`, key)),

    findUnknown: (keys) =>
      runner.run('read', () =>
        selectAll(
          (row) => row.value as string,
          `SELECT value FROM ${runner.dialect.list} WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE blob_key = list.value)
            AND NOT EXISTS (SELECT 1 FROM uploads WHERE blob_key = list.value AND state IN ('open', 'completing'))`,
          listValue(keys),
        ),
      ),

    findUnreferenced: ({ before, after, limit }) =>
      runner.run('read', () =>
        selectAll(
          blobOf,
          `SELECT ${blobColumns} FROM blobs WHERE unreferenced_at IS NOT NULL AND unreferenced_at < ? AND (unreferenced_at, blob_key) > (?, ?)
            ORDER BY unreferenced_at, blob_key LIMIT ?`,
          before,
          after?.unreferencedAt ?? -1,
          after?.key ?? '',
          pageSize(limit),
        ),
      ),

    forgetIfUnreferenced: (key) =>
      runner.run('statement', () =>
        changed('DELETE FROM blobs WHERE blob_key = ? AND unreferenced_at IS NOT NULL RETURNING blob_key', key),
      ),

    inspectionOf: (key) =>
      runner.run('read', () =>
        selectFirst(
          inspectionOf,
          'SELECT inspection_version, inspected_at, inspection FROM blobs WHERE blob_key = ? AND inspection IS NOT NULL',
          key,
        ),
      ),

    setInspection: (key, inspection) =>
      runner.run('statement', () =>
        changed(
          'UPDATE blobs SET inspection_version = ?, inspected_at = ?, inspection = ? WHERE blob_key = ? RETURNING blob_key',
          ...inspectionValues(inspection),
          key,
        ),
      ),

    findInspected: ({ version, after = '', limit }) =>
      runner.run('read', () =>
        selectAll(
          blobOf,
          `SELECT ${blobColumns} FROM blobs WHERE unreferenced_at IS NULL AND inspection_version = ? AND blob_key > ?
            ORDER BY blob_key LIMIT ?`,
          version,
          after,
          pageSize(limit),
        ),
      ),

    imagesOf: (key, limit) =>
      runner.run('read', () =>
        selectAll(
          imageInContainerOf,
          `SELECT ${imageInContainerColumns} FROM images i JOIN containers c ON c.id = i.container_id WHERE i.blob_key = ? ORDER BY i.id LIMIT ?`,
          key,
          pageSize(limit),
        ),
      ),
  }
}
