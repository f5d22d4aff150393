/** The Go registry that many would run instead, built from its module: a peer in the same run. */
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort, startProgram } from './process.mjs'

const module = 'github.com/distribution/distribution/v3/cmd/registry@v3.1.2'
const folder = fileURLToPath(new URL('../../.cache/bench/', import.meta.url))

/** undefined where Go is missing. Builds once, into .cache. */
export async function findDistribution() {
  const binary = join(folder, 'registry')
  if (!existsSync(binary)) {
    try {
      execFileSync('go', ['version'])
    } catch {
      return undefined
    }
    console.log(`building ${module} …`)
    await promisify(execFile)('go', ['install', '-trimpath', module], {
      env: { ...process.env, GOBIN: folder, CGO_ENABLED: '0', GOTOOLCHAIN: 'local' },
    })
  }
  return {
    start: async (data) => {
      mkdirSync(data, { recursive: true })
      const port = await freePort()
      const config = join(data, 'config.yml')
      writeFileSync(
        config,
        `version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: ${data}\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:${port}\n`,
      )
      return startProgram(binary, ['serve', config], { port, env: { OTEL_TRACES_EXPORTER: 'none' } })
    },
  }
}

const sha256 = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** Starts a blob upload and returns the URL for the PUT of all its bytes. */
export async function startBlob(port, digest) {
  const response = await fetch(`http://127.0.0.1:${port}/v2/bench/blobs/uploads/`, { method: 'POST' })
  const location = new URL(response.headers.get('location'), `http://127.0.0.1:${port}`)
  location.searchParams.set('digest', digest)
  return location.href
}

/** An image of one small layer under `bench:latest`. */
export async function pushManifest(port) {
  const put = async (bytes) => {
    const response = await fetch(await startBlob(port, sha256(bytes)), {
      method: 'PUT',
      body: bytes,
      headers: { 'content-type': 'application/octet-stream' },
    })
    if (response.status !== 201) throw new Error(`blob: ${response.status}`)
    return { digest: sha256(bytes), size: bytes.length }
  }
  const config = {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    ...(await put(Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'))),
  }
  const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar', ...(await put(Buffer.alloc(1000, 1))) }
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const response = await fetch(`http://127.0.0.1:${port}/v2/bench/manifests/latest`, {
    method: 'PUT',
    headers: { 'content-type': mediaType },
    body: JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [layer] }),
  })
  if (response.status !== 201) throw new Error(`manifest: ${response.status} ${await response.text()}`)
}
