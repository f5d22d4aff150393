/** Whether storage and metadata store belong together. */
import { compareStorageMarks, type StorageMarkState } from 'sif-library'
import { isMetadataError, type MetadataStore } from 'sif-library/metadata'
import type { StorageBackend } from 'sif-library/storage'
import { failed } from './bytes.js'
import type { Finding } from './finding.js'

const check = 'storage belongs to the metadata store'
const fix =
  'mount the volume, or correct --storage or --metadata; if the registry moves, bring its bytes along: sif-library copy-storage FROM TO; only where they are lost, start serve once with --accept-storage'

const findings: Readonly<Record<StorageMarkState, Finding>> = {
  same: { check, state: 'ok', found: 'both have the same mark' },
  taken: { check, state: 'ok', found: 'the next start takes over the mark of the storage' },
  made: { check, state: 'ok', found: 'the storage has no mark yet, and gets one at the next start' },
  missing: {
    check,
    state: 'failed',
    found: 'the storage has neither a mark (records/storage-mark) nor bytes of the images',
    cause: 'its volume is not mounted, or it is another bucket, prefix or folder',
    fix,
  },
  other: {
    check,
    state: 'failed',
    found: 'the storage has the mark of another registry',
    cause: '--storage or --metadata is that of another one',
    fix,
  },
}

/** Ends with true when they do. */
export async function* checkStorageMark(
  storage: StorageBackend,
  metadata: MetadataStore,
): AsyncGenerator<Finding, boolean, undefined> {
  try {
    const finding = findings[await compareStorageMarks({ storage, metadata })]
    yield finding
    return finding.state === 'ok'
  } catch (error) {
    // a metadata store that does not answer was told of before
    if (!isMetadataError(error)) yield failed(check, error)
    return false
  }
}
