/** Moving 1 GiB: verified upload against a bare pipeline and the Go registry, pull against the Go registry and nginx, as ratios in one run. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { call, createImage, digestOf, getBytes, push, putBytes } from './lib/client.mjs'
import { findDistribution, startBlob } from './lib/distribution.mjs'
import { freePort, startModule, startProgram } from './lib/process.mjs'
import { median, printTable, saveResults } from './lib/report.mjs'

const server = (name) => new URL(`./servers/${name}.mjs`, import.meta.url)

function findNginx() {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' })
    return 'nginx'
  } catch {
    return existsSync('/usr/sbin/nginx') ? '/usr/sbin/nginx' : undefined
  }
}

async function startNginx(command, folder, root) {
  const port = await freePort()
  mkdirSync(folder, { recursive: true })
  const config = join(folder, 'nginx.conf')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ')
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  writeFileSync(
    config,
    `${user} daemon off; pid ${folder}/pid; error_log ${folder}/error.log; worker_processes 1; events {} http { access_log off; ${temporary} server { listen 127.0.0.1:${port}; location / { root ${root}; sendfile off; output_buffers 2 1m; } } }`,
  )
  return startProgram(command, ['-c', config, '-e', join(folder, 'error.log')], { port })
}

export async function benchTransfers({ rounds = 5, size = 2 ** 30 }) {
  // beside the project, so that all write to one real disk
  const cache = fileURLToPath(new URL('../.cache/', import.meta.url))
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'bench-'))
  const block = randomBytes(2 ** 20)
  const running = []
  const keep = (started) => {
    running.push(started)
    return started
  }
  try {
    const bare = keep(await startModule(server('bare'), { file: join(folder, 'bare.bin') }))
    const ours = keep(
      await startModule(server('registry'), { database: join(folder, 'registry.db'), blobs: join(folder, 'blobs') }),
    )
    const base = `http://127.0.0.1:${ours.port}`
    const { token } = ours
    const distribution = await findDistribution()
    const go = distribution === undefined ? undefined : keep(await distribution.start(join(folder, 'distribution')))
    const nginxCommand = findNginx()
    const nginx =
      nginxCommand === undefined ? undefined : keep(await startNginx(nginxCommand, join(folder, 'nginx'), folder))
    if (go === undefined) console.log('the Go registry is left out: Go cannot build it here')
    if (nginx === undefined) console.log('nginx is left out: it is not installed')

    const uploads = {
      'bare pipeline, no hash': () => putBytes(`http://127.0.0.1:${bare.port}/`, { size, block }),
      'upload, one PUT': async (salted, digest) => {
        const { imageId } = await createImage(base, {
          token,
          entity: 'bench',
          container: `single-${digest.slice(0, 8)}`,
          digest,
        })
        const started = await call(base, {
          method: 'POST',
          path: `/v2/imagefile/${imageId}`,
          token,
          body: { filesize: size, sha256sum: digest },
        })
        await putBytes(started.data.uploadURL, { size, block: salted })
        await call(base, { method: 'PUT', path: `/v2/imagefile/${imageId}/_complete`, token, body: {} })
        await call(base, {
          method: 'DELETE',
          path: `/v1/images/bench/tools/single-${digest.slice(0, 8)}:sha256.${digest}`,
          token,
        })
      },
      'upload, multipart': async (salted, digest) => {
        const container = `multi-${digest.slice(0, 8)}`
        await push(base, { token, entity: 'bench', container, tag: 'latest', size, block: salted, digest })
        await call(base, { method: 'DELETE', path: `/v1/images/bench/tools/${container}:sha256.${digest}`, token })
      },
    }
    if (go !== undefined)
      uploads['distribution, blob'] = async (salted, digest) =>
        putBytes(await startBlob(go.port, `sha256:${digest}`), {
          size,
          block: salted,
          headers: { 'content-type': 'application/octet-stream' },
        })

    const times = {}
    const measure = async (name, work) => {
      const begun = performance.now()
      await work()
      times[name] ??= []
      times[name].push((performance.now() - begun) / 1000)
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, work] of Object.entries(uploads)) {
        // new bytes each time: a known digest would be no upload
        const salted = Buffer.from(block)
        randomBytes(16).copy(salted)
        const digest = digestOf({ size, block: salted })
        await measure(name, () => work(salted, digest))
      }
      execFileSync('sync')
    }

    const digest = digestOf({ size, block })
    await push(base, { token, entity: 'bench', container: 'pull', tag: 'latest', size, block, digest })
    const pulls = { 'pull, one stream': () => getBytes(`${base}/v1/imagefile/bench/tools/pull:latest`) }
    const ranged = async () => {
      const { headers } = await call(base, { path: '/v1/imagefile/bench/tools/pull:latest' })
      const part = 5_242_880
      let at = 0
      const worker = async () => {
        while (at < size) {
          const start = at
          at += part
          await getBytes(headers.get('location'), { range: `bytes=${start}-${Math.min(start + part, size) - 1}` })
        }
      }
      await Promise.all([worker(), worker(), worker()])
    }
    pulls['pull, 3 × 5 MiB ranges'] = ranged
    pulls['bare file stream, 1 MiB'] = () => getBytes(`http://127.0.0.1:${bare.port}/file`)
    if (go !== undefined) {
      await putBytes(await startBlob(go.port, `sha256:${digest}`), {
        size,
        block,
        headers: { 'content-type': 'application/octet-stream' },
      })
      pulls['distribution, blob pull'] = () => getBytes(`http://127.0.0.1:${go.port}/v2/bench/blobs/sha256:${digest}`)
    }
    if (nginx !== undefined) pulls['nginx, sendfile off'] = () => getBytes(`http://127.0.0.1:${nginx.port}/bare.bin`)
    for (let round = 0; round < rounds; round += 1)
      for (const [name, work] of Object.entries(pulls)) await measure(name, work)

    const seconds = Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]))
    const speed = (name) => size / 2 ** 20 / seconds[name]
    const row = (what, to, goal, holds) => {
      const ratio =
        to === undefined || seconds[to] === undefined
          ? undefined
          : goal?.startsWith('≤')
            ? seconds[what] / seconds[to]
            : speed(what) / speed(to)
      return {
        what,
        value: speed(what),
        unit: 'MiB/s',
        ...(ratio === undefined ? {} : { ratio, to, goal, holds: holds(ratio) }),
      }
    }
    const atLeast = (goal) => (ratio) => ratio >= goal
    const rows = [
      row('bare pipeline, no hash'),
      row('upload, one PUT', 'bare pipeline, no hash', '≤ 1.3 of its time', (ratio) => ratio <= 1.3),
      row('upload, multipart', 'distribution, blob', '≥ 1.0 of its speed', atLeast(1)),
      ...(go === undefined
        ? []
        : [row('distribution, blob'), row('upload, one PUT', 'distribution, blob', '≥ 1.0 of its speed', atLeast(1))]),
      row('bare file stream, 1 MiB'),
      row('pull, one stream', 'distribution, blob pull', '≥ 1.0 of its speed', atLeast(1)),
      ...(go === undefined ? [] : [row('distribution, blob pull')]),
      row('pull, one stream', 'nginx, sendfile off', '≥ 0.9 of its speed', atLeast(0.9)),
      ...(nginx === undefined ? [] : [row('nginx, sendfile off')]),
      row('pull, 3 × 5 MiB ranges'),
    ]
    printTable(`Moving ${size / 2 ** 20} MiB`, rows)
    saveResults('transfers', rows)
    return rows
  } finally {
    await Promise.all(running.map((one) => one.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}
