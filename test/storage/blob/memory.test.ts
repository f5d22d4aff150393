import { describe, test } from 'vitest'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import { describeStorageBackend } from '../../../src/testing/storage/index.js'

describeStorageBackend(
  { describe, test },
  {
    name: 'memory',
    create: () => ({ backend: memoryStorage() }),
    lacks: ['presign', 'presign.part', 'prove', 'sweepTemporary'],
  },
)
