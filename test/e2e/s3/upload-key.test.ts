/** Ceph opens no sessions without roles: its upload URLs would copy, so there are none without a key of their own. */
import { afterAll, expect, test } from 'vitest'
import { startCeph } from '../../../scripts/s3-servers.mjs'
import { describeOn, startOrSkip, storageOn, testBytes } from './servers.js'
import { startWhole } from './whole.js'

const ceph = await startOrSkip('Ceph', startCeph)
afterAll(() => ceph?.stop())

describeOn(ceph, 'Ceph', (ceph) => {
  test('copies by an unsigned header, so uploads by URL are blocked with the registry’s own key', async () => {
    const storage = storageOn(ceph)
    await storage.ready?.()
    const { verdict } = await storage.examineUploads()
    expect(verdict).toMatchObject({ signedBy: 'credentials', copying: 'copied', bound: false })
    await expect(startWhole(storage, 'blobs/a', testBytes(100))).rejects.toMatchObject({ code: 'unsupported' })
    await storage.close?.()
  })
})
