/** Push and pull of 1 GiB over MinIO by the newest real client: through the registry against a stub that answers instantly, as ratios in one run. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { S3ServerMissing, startMinio } from '../scripts/s3-servers.mjs'
import { startModule } from './lib/process.mjs'
import { median, printTable, saveResults } from './lib/report.mjs'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const server = (name) => new URL(`./servers/${name}.mjs`, import.meta.url)

/** Builds the client, as the tests do. */
function buildClient(folder) {
  const program = join(folder, 'client')
  const env = { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOWORK: 'off' }
  execFileSync('go', ['build', '-trimpath', '-mod=readonly', '-o', program, '.'], {
    cwd: at('../test/e2e/clients/scs-1.4.16'),
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return program
}

/** A file of `size` bytes; `renew` gives it another hash. */
function makeFile(path, size) {
  const block = randomBytes(2 ** 20)
  const file = openSync(path, 'w+')
  for (let done = 0; done < size; done += block.length) writeSync(file, block, 0, Math.min(block.length, size - done))
  return { path, renew: () => writeSync(file, randomBytes(16), 0, 16, 0) }
}

export async function benchS3({ rounds = 5, size = 2 ** 30 }) {
  let minio
  try {
    minio = await startMinio()
    execFileSync('go', ['version'], { stdio: 'ignore' })
  } catch (error) {
    if (!(error instanceof S3ServerMissing) && error.code !== 'ENOENT') throw error
    await minio?.stop()
    console.log(`s3 is left out: ${error.message}`)
    return []
  }
  const cache = at('../.cache/')
  if (!existsSync(cache)) mkdirSync(cache)
  const folder = mkdtempSync(join(cache, 'bench-s3-'))
  const running = []
  try {
    const client = buildClient(folder)
    const file = makeFile(join(folder, 'image.sif'), size)
    const { endpoint, region, accessKeyId, secretAccessKey } = minio
    const s3 = (prefix, more = {}) => ({
      bucket: 'bench',
      prefix,
      endpoint,
      region,
      pathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
      ...more,
    })
    const start = async (name, options) => {
      const started = await startModule(server(name), options)
      running.push(started)
      return { url: `http://127.0.0.1:${started.port}`, token: started.token ?? 'none' }
    }
    const targets = {
      'stub that answers instantly': await start('s3-stub', { s3: s3('stub') }),
      "registry, verify: 'background'": await start('registry', {
        database: join(folder, 'background.db'),
        s3: s3('background', { verify: 'background' }),
      }),
      "registry, verify: 'read'": await start('registry', { database: join(folder, 'read.db'), s3: s3('read') }),
    }
    const run = ({ url, token }, words) => {
      const said = execFileSync(client, ['--url', url, '--token', token, ...words, '--arch', 'amd64'], {
        encoding: 'utf8',
        maxBuffer: 2 ** 24,
      })
      const result = JSON.parse(said)
      if (!result.ok) throw new Error(`${words.join(' ')}: ${result.error}`)
    }
    const times = {}
    const measure = (name, work) => {
      const begun = performance.now()
      work()
      times[name] ??= []
      times[name].push((performance.now() - begun) / 1000)
    }
    const out = join(folder, 'out.sif')
    for (let round = 0; round < rounds; round += 1) {
      const order = Object.entries(targets)
      if (round % 2 === 1) order.reverse()
      for (const [name, target] of order) {
        file.renew()
        execFileSync('sync')
        measure(`push, ${name}`, () => run(target, ['push', file.path, 'bench/tools/large:latest']))
        // the proof in the background ends before anything else is measured
        if (name.includes('background')) await new Promise((resolve) => setTimeout(resolve, (size / 2 ** 26) * 1000))
        if (!name.includes('background'))
          measure(`pull, ${name}`, () => run(target, ['pull', 'bench/tools/large:latest', out]))
      }
    }
    const seconds = Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]))
    const row = (verb, name, goal) => {
      const what = `${verb}, ${name}`
      const floor = `${verb}, stub that answers instantly`
      // round by round, since a machine that others use is not equally fast all the time
      const ratio = median(times[what].map((time, round) => time / times[floor][round]))
      const compared =
        what === floor
          ? {}
          : { ratio, to: floor, ...(goal === undefined ? {} : { goal: `≤ ${goal} of its time`, holds: ratio <= goal }) }
      return { what, value: seconds[what], unit: 's', ...compared }
    }
    const rows = [
      row('push', 'stub that answers instantly'),
      row('push', "registry, verify: 'background'", 1.05),
      // reads the whole back before it answers: shown beside the goal, which is about the way of the bytes
      row('push', "registry, verify: 'read'"),
      row('pull', 'stub that answers instantly'),
      row('pull', "registry, verify: 'read'", 1.05),
    ]
    printTable(`${size / 2 ** 20} MiB over MinIO by the real client`, rows)
    saveResults('s3', rows)
    return rows
  } finally {
    await Promise.all(running.map((one) => one.stop()))
    await minio.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
