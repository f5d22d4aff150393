/**
 * A cluster's morning: all jobs pull one image at once, each over a connection of its own, while somebody else asks for `version`. Needs twice as many open files as there are jobs.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { digestOf, push, putBytes } from './lib/client.mjs'
import { startModule } from './lib/process.mjs'
import { percentile, printTable, saveResults } from './lib/report.mjs'
import { startServe } from './lib/serve.mjs'

const puller = new URL('./servers/puller.mjs', import.meta.url)
const bareServer = new URL('./servers/bare.mjs', import.meta.url)

/** Connections that the system dropped because a listen queue was full, so far: of all servers in this network namespace. */
function droppedConnections() {
  const [names, values] = readFileSync('/proc/net/netstat', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('TcpExt:'))
    .map((line) => line.split(' '))
  return Number(values[names.indexOf('ListenDrops')])
}

/** The slowest answer to `version`, each asked over a new connection, until `work` is done. */
async function slowestVersion(base, path, work) {
  const times = []
  let done = false
  let failed = 0
  const watching = (async () => {
    while (!done) {
      const began = performance.now()
      try {
        const response = await fetch(base + path, { headers: { connection: 'close' } })
        await response.arrayBuffer()
      } catch {
        failed += 1
      }
      times.push(performance.now() - began)
      await wait(100)
    }
  })()
  const result = await work()
  done = true
  await watching
  return { result, slowest: Math.max(...times), median: percentile(times, 0.5), failed }
}

/** `jobs` clients that pull `size` bytes once each; they give up after `seconds`. */
export async function benchMorning({ jobs = 1500, size = 10_000_000, seconds = 300 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'sif-library-bench-'))
  const running = []
  const block = randomBytes(size)
  const measure = async (what, { base, path, version, server }) => {
    const dropped = droppedConnections()
    const cpu = server.cpu()
    const { result, slowest, median, failed } = await slowestVersion(base, version, async () => {
      const clients = await startModule(puller, { url: base + path, jobs, size, seconds })
      await clients.stop()
      return clients
    })
    return [
      {
        what: `${what}: failed pulls`,
        value: result.failed,
        unit: `of ${jobs}`,
        goal: '0',
        holds: result.failed === 0,
      },
      { what: `${what}: all have it`, value: result.seconds, unit: 's' },
      { what: `${what}: CPU of the server`, value: server.cpu() - cpu, unit: 's' },
      { what: `${what}: version of others, median`, value: median, unit: 'ms' },
      { what: `${what}: version of others, slowest`, value: slowest, unit: 'ms' },
      { what: `${what}: version of others, failed`, value: failed, unit: '', goal: '0', holds: failed === 0 },
      { what: `${what}: dropped connections`, value: droppedConnections() - dropped, unit: '' },
      { what: `${what}: most memory`, value: server.peakRss(), unit: 'MiB' },
    ]
  }
  try {
    const bare = await startModule(bareServer, { body: '{}', file: join(folder, 'file') })
    running.push(bare)
    const bareBase = `http://127.0.0.1:${bare.port}`
    await putBytes(`${bareBase}/file`, { size, block })
    const server = await startServe(join(folder, 'data'), { logLevel: 'info' })
    running.push(server)
    const { base, token } = server
    const digest = digestOf({ size, block })
    await push(base, { token, entity: 'admin', container: 'morning', tag: 'latest', size, block, digest })
    const path = '/v1/imagefile/admin/tools/morning:latest?arch=amd64'
    const rows = [
      // Node's own listen queue, and no hash, no database, no log
      ...(await measure('bare', { base: bareBase, path: '/file', version: '/', server: bare })).map(
        ({ goal: _, holds: __, ...row }) => row,
      ),
      ...(await measure('serve', { base, path, version: '/version', server })),
    ]
    const secondsOf = (what) => rows.find((row) => row.what === `${what}: all have it`)
    Object.assign(secondsOf('serve'), { ratio: secondsOf('serve').value / secondsOf('bare').value, to: 'bare' })
    const drops = rows.at(-2)
    Object.assign(drops, { goal: '0', holds: drops.value === 0 })
    printTable(`${jobs} jobs pull one image of ${size / 1e6} MB at once`, rows)
    saveResults('morning', rows)
    return rows
  } finally {
    await Promise.all(running.map((one) => one.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}
