/**
 * A short run of the fault harness with a fixed seed (`npm run faults` does the long ones): kill -9 at random moments, and nothing that was acknowledged is lost,
 * nothing unproven is readable, every interrupted push succeeds when repeated, nothing is left over after a sweep.
 */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runFaults } from '../faults/rounds.js'
import { filesystemStack } from '../faults/stack-filesystem.js'
import { minioStack } from '../faults/stack-minio.js'
import { describeWhen } from './harness/availability.js'
import { ensureBuilt } from './harness/build.js'
import { PACKAGE as root } from './harness/paths.js'
import { servicesMissing } from './harness/services.js'

it('12 kills -9 of the server over SQLite and a folder lose nothing and leave nothing', async () => {
  await ensureBuilt()
  const stack = await filesystemStack({ root })
  try {
    const { violations, kills, counts } = await runFaults({ root, stack, kills: 12, seed: 20_261_122 })
    expect(violations).toEqual([])
    expect(kills).toBe(12)
    expect(counts.acknowledged).toBeGreaterThan(5)
    expect(counts.interrupted).toBeGreaterThan(10)
    expect(counts.repeated).toBeGreaterThan(10)
  } finally {
    await stack.close()
  }
})

it('the harness notices blobs that vanish below the server', async () => {
  await ensureBuilt()
  const stack = await filesystemStack({ root })
  const keys = join(stack.data, 'blobs/keys/blobs')
  const vanish = async (): Promise<void> => {
    // not there before the first push
    const entries = await readdir(keys, { recursive: true, withFileTypes: true }).catch(() => [])
    const files = entries.filter((entry) => entry.isFile())
    for (const file of files.slice(0, 3)) await rm(join(file.parentPath, file.name))
  }
  try {
    const { violations } = await runFaults({
      root,
      stack: { ...stack, faults: { vanish } },
      kills: 3,
      seed: 2,
      faults: ['vanish'],
    })
    expect(violations.some((text) => text.includes('undefined bytes instead of'))).toBe(true)
  } finally {
    await stack.close()
  }
})

describeWhen(await servicesMissing(), 'crashes over PostgreSQL and MinIO')('over PostgreSQL and MinIO', () => {
  it('kills, pauses and errors of server, store and database lose nothing and leave nothing', async () => {
    await ensureBuilt()
    const stack = await minioStack({ root, records: 'postgres' })
    try {
      const { violations } = await runFaults({
        root,
        stack,
        kills: 8,
        seed: 5,
        faults: ['server', ...Object.keys(stack.faults)],
      })
      expect(violations).toEqual([])
    } finally {
      await stack.close()
    }
  })
})
