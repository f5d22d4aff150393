/** A registry moves from a folder to MinIO and back, as docs/move-storage.md says; a real client pulls what it pushed before. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { startMinio } from '../../../scripts/s3-servers.mjs'
import { describeWhen } from '../harness/availability.js'
import { generationsOf, makeClient } from '../harness/client.js'
import { goMissing } from '../harness/go.js'
import { hashFile, type Image, makeImageFolder } from '../harness/images.js'
import { CLI } from '../harness/paths.js'
import { type Finished, run } from '../harness/run.js'
import { s3Credentials, storageUrl } from '../harness/s3-registry.js'
import { type ServeRegistry, startServe } from '../harness/server.js'
import { startOrSkip } from './servers.js'

const minio = await startOrSkip('MinIO', startMinio)
const folders: string[] = []
afterAll(async () => {
  await minio?.stop()
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

const missing = goMissing() ?? (minio === undefined ? 'MinIO is not on this machine' : undefined)
const [generation] = generationsOf('scs-1.4.16')

describeWhen(missing, 'moving between storages')('a registry moves', () => {
  test('to MinIO and back, and every image is pulled from each', async () => {
    if (minio === undefined || generation === undefined) throw new Error('not here')
    const data = await mkdtemp(join(tmpdir(), 'sif-library-move-'))
    folders.push(data)
    const images = await makeImageFolder()
    const env = s3Credentials(minio)
    const places = {
      folder: `filesystem:${join(data, 'blobs')}`,
      bucket: storageUrl(minio),
      back: `filesystem:${join(data, 'back')}`,
    }
    const command = (...args: readonly string[]): Promise<Finished> =>
      run(process.execPath, { args: [CLI, ...args, '--data', data], env })
    const copy = async (from: string, to: string, ...more: readonly string[]) => {
      const { code, stdout, stderr } = await command('copy-storage', from, to, '--json', ...more)
      return { code, stderr, result: JSON.parse(stdout) as Record<string, number | boolean> }
    }
    const start = (storage: string): Promise<ServeRegistry> =>
      startServe({ data, env: { ...env, SIF_LIBRARY_STORAGE: storage } })
    const pushed: { readonly image: Image; readonly reference: string }[] = []
    const use = async (registry: ServeRegistry, fresh: { readonly name: string; readonly size: number }) => {
      const client = await makeClient({ generation, url: registry.url, token: registry.token })
      for (const { image, reference } of pushed) {
        const out = images.target()
        expect(await client.run(['pull', reference, out, '--arch', 'amd64'])).toMatchObject({ ok: true })
        expect(await hashFile(out)).toBe(image.hash)
      }
      const image = await images.fresh({ size: fresh.size, arch: 'amd64' })
      const reference = `admin/tools/${fresh.name}:1.0`
      expect(await client.run(['push', image.file, reference, '--arch', 'amd64'])).toMatchObject({ ok: true })
      pushed.push({ image, reference })
    }
    try {
      const first = await start(places.folder)
      await use(first, { name: 'small', size: 1_000_000 })
      await use(first, { name: 'large', size: 90_000_000 })
      // beside the running server, which is said; then what came meanwhile
      const beside = await copy(places.folder, places.bucket)
      expect(beside).toMatchObject({ code: 0, result: { damaged: 0, failed: 0, marked: true } })
      expect(beside.stderr).toContain('a server runs')
      await use(first, { name: 'late', size: 500_000 })
      await first.stop()

      expect((await command('doctor', '--storage', places.bucket)).stdout).toMatch(
        /FAILED .*bytes of the images: those of 1 of/,
      )
      const looked = await copy(places.folder, places.bucket, '--prune', '--dry-run')
      const second = await copy(places.folder, places.bucket, '--prune')
      expect(second).toMatchObject({ code: 0, result: { failed: 0, marked: true } })
      expect(second.result.copied).toBe(looked.result.copied)
      expect(second.result.present).toBeGreaterThan(0)

      expect((await command('doctor', '--storage', places.bucket)).stdout).toContain('those of all')
      const moved = await start(places.bucket)
      await use(moved, { name: 'born-there', size: 70_000_000 })
      await moved.stop()

      expect(await copy(places.bucket, places.back)).toMatchObject({ code: 0, result: { failed: 0, marked: true } })
      const back = await start(places.back)
      await use(back, { name: 'home', size: 300_000 })
      await back.stop()
      expect(await readdir(join(data, 'back', 'tmp'))).toEqual([])
    } finally {
      await images.close()
    }
  })
})
