/** What grows with the registry: a million images in ten thousand containers against a hundred in one, on SQLite and PostgreSQL, as ratios in one run. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { call, digestOf, push } from './lib/client.mjs'
import { postgresDatabase, sqliteDatabase } from './lib/database.mjs'
import { getRequest, sendRequests } from './lib/load.mjs'
import { median, printTable, saveResults } from './lib/report.mjs'
import { filledEnv, startServe } from './lib/serve.mjs'
import { anyImagePath, fillStore, imagePath, rareWord } from './metadata-fill.mjs'
import { commandRows } from './scale-commands.mjs'

const smallShape = { images: 100, containers: 1 }

const searchPath = (value, arch = '') => `/v1/search?value=${encodeURIComponent(value)}&arch=${arch}`
const shapeName = ({ images, containers }) =>
  `${images.toLocaleString('en')} images in ${containers.toLocaleString('en')} containers`

async function startRegistry(database, { folder, url, shape }) {
  const server = await startServe(folder, { env: filledEnv(url) })
  const { data } = await call(server.base, { path: '/v1/containers/alice/tools/container-0' })
  const last = `container-${shape.containers - 1}`
  return {
    ...server,
    folder,
    url,
    shape,
    containerId: data.id,
    last,
    idleRss: server.rss(),
    cost: () => server.cpu() + database.cpu(),
  }
}

/** Work that sends GET requests; `pathOf` is asked once for a registry, and gives a path or a function that gives one for each request. */
const gets = (pathOf) => async (registry, count) => {
  const path = pathOf(registry)
  const request = typeof path === 'string' ? getRequest(path) : () => getRequest(path())
  await sendRequests({ port: registry.port, request, count })
}

async function pushSmall({ base, token }, count) {
  for (let index = 0; index < count; index += 1) {
    const block = randomBytes(4096)
    const image = {
      entity: 'alice',
      container: 'container-0',
      tag: `pushed-${block.toString('hex', 0, 6)}`,
      size: block.length,
      block,
    }
    await push(base, { token, ...image, digest: digestOf(image) })
  }
}

/** How many calls fill a second, by trying; `least` where they wait more than they work. Of two tries the faster one counts: the first call of all is slow. */
async function calibrate({ registry, work, least = 1 }) {
  for (let count = least; ; count *= 4) {
    const tries = []
    for (let index = 0; index < 2; index += 1) {
      const begun = performance.now()
      await work(registry, count)
      tries.push((performance.now() - begun) / 1000)
    }
    const seconds = Math.min(...tries)
    if (seconds > 0.25) return Math.max(least, Math.round(count / seconds))
  }
}

/**
 * CPU of server and database per call, in µs. `subjects` take turns, so that a busy machine is as unkind to one as to the other; `ratio` is the median of the second over
 * the first, round by round.
 */
async function compare(subjects, rounds) {
  const counts = []
  for (const subject of subjects) counts.push(await calibrate(subject))
  const samples = subjects.map(() => [])
  for (let round = rounds > 1 ? -1 : 0; round < rounds; round += 1) {
    for (const [number, { registry, work }] of subjects.entries()) {
      const before = registry.cost()
      await work(registry, counts[number])
      // the first round warms up
      if (round >= 0) samples[number].push(((registry.cost() - before) / counts[number]) * 1e6)
    }
  }
  const [first, second] = samples
  return { values: samples.map(median), ratio: median(second.map((value, round) => value / first[round])) }
}

const cases = [
  {
    what: 'GetImage, images spread over everything',
    work: gets(
      ({ shape }) =>
        () =>
          anyImagePath(shape),
    ),
  },
  {
    what: 'GetImage, one busy container',
    work: gets(({ last }) => imagePath({ container: last, tag: '0.0.0' })),
    goal: 1.2,
  },
  { what: 'tag list of a container with 100', work: gets(({ containerId }) => `/v2/tags/${containerId}`) },
  { what: 'search, a word of one container (100 images)', work: gets(() => searchPath(rareWord)) },
  { what: 'search, one of many alike names (100 images)', work: gets(({ last }) => searchPath(last)) },
  { what: 'search, everything matches (first page)', work: gets(() => searchPath('tools')) },
  { what: 'search, nothing has any piece of it', work: gets(() => searchPath('qqzzxx')) },
  { what: 'search, pieces everywhere, together nowhere', work: gets(() => searchPath('container-123412341')) },
  {
    what: 'search, a tenth of everything, nothing of it new',
    work: gets(({ shape }) => searchPath(shape.containers > 4 ? 'container-4' : 'container-0')),
  },
  {
    what: 'search, everything matches, nothing of the arch',
    work: gets(() => searchPath('tools', 'riscv64')),
    rounds: 1,
  },
  { what: 'push of one more of 4 KiB', work: pushSmall, least: 25 },
]

async function compareCases(name, { small, big, rounds }) {
  const rows = []
  for (const { goal, ...one } of cases) {
    const what = `${name}: ${one.what}`
    try {
      const compared = await compare(
        [small, big].map((registry) => ({ registry, ...one })),
        one.rounds ?? rounds,
      )
      rows.push({ what, value: compared.values[1], unit: 'µs CPU', ...ratioOf(compared, 'the small one', goal) })
    } catch (error) {
      console.log(`${what}: ${error.message}`)
      rows.push({ what, value: Number.NaN, unit: '', goal: 'an answer', holds: false })
    }
  }
  return rows
}

const ratioOf = ({ ratio }, to, goal) => ({
  ratio,
  to,
  ...(goal === undefined ? {} : { goal: `≤ ${goal}`, holds: ratio <= goal }),
})

/** GetImage in a container of one image with a thousand tags, against one tag. */
async function compareTags(name, { registry, rounds, tags = 1000 }) {
  const { base, token } = registry
  const works = []
  for (const [container, count] of [
    ['one-tag', 1],
    ['many-tags', tags],
  ]) {
    const block = randomBytes(4096)
    const image = { entity: 'alice', container, tag: 'tag-0', size: block.length, block }
    const { containerId, imageId } = await push(base, { token, ...image, digest: digestOf(image) })
    for (let index = 1; index < count; index += 1)
      await call(base, {
        method: 'POST',
        path: `/v2/tags/${containerId}`,
        token,
        body: { Arch: 'amd64', Tag: `tag-${index}`, ImageID: imageId },
      })
    works.push(gets(() => imagePath({ container, tag: `tag-${count - 1}` })))
  }
  const compared = await compare(
    works.map((work) => ({ registry, work })),
    rounds,
  )
  const what = `${name}: GetImage in a container with ${tags.toLocaleString('en')} tags`
  return { what, value: compared.values[1], unit: 'µs CPU', ...ratioOf(compared, 'one with one tag', 1.2) }
}

const memoryRows = (name, { small, big }) => [
  {
    what: `${name}: RSS of serve when it has started`,
    value: big.idleRss,
    unit: 'MiB',
    ratio: big.idleRss / small.idleRss,
    to: 'the small one',
  },
  {
    what: `${name}: RSS of serve after all of it`,
    value: big.rss(),
    unit: 'MiB',
    ratio: big.rss() / small.rss(),
    to: 'the small one',
  },
  // SQLite's file is mapped, and counts as resident while the system keeps it in memory
  {
    what: `${name}: of it what is no mapped file`,
    value: big.anonymous(),
    unit: 'MiB',
    ratio: big.anonymous() / small.anonymous(),
    to: 'the small one',
  },
  {
    what: `${name}: peak RSS of serve`,
    value: big.peakRss(),
    unit: 'MiB',
    ratio: big.peakRss() / small.peakRss(),
    to: 'the small one',
  },
]

async function benchDatabase(database, { folder, bigShape, files, rounds }) {
  const { name } = database
  const open = async (label, shape) => {
    const url = await database.create(label)
    const begun = performance.now()
    await fillStore(url, shape)
    console.log(`${name}: ${shapeName(shape)} written in ${Math.round((performance.now() - begun) / 1000)} s`)
    return { folder: join(folder, `${label}-data`), url, shape }
  }
  const running = []
  const start = async (store) => {
    const registry = await startRegistry(database, store)
    running.push(registry)
    return registry
  }
  const stores = { small: await open('small', smallShape), big: await open('big', bigShape) }
  try {
    const small = await start(stores.small)
    const big = await start(stores.big)
    const rows = await compareCases(name, { small, big, rounds })
    rows.push(await compareTags(name, { registry: big, rounds }))
    rows.push(...memoryRows(name, { small, big }))
    return [
      ...rows,
      ...(await commandRows(database, { home: folder, big: stores.big, files, rounds: Math.min(rounds, 3) })),
    ]
  } finally {
    await Promise.all(running.map((one) => one.stop()))
  }
}

export async function benchScale({ images = 1_000_000, containers = 10_000, files = 100_000, rounds = 7 }) {
  const cache = fileURLToPath(new URL('../.cache/', import.meta.url))
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'bench-'))
  const rows = []
  try {
    for (const open of [sqliteDatabase, postgresDatabase]) {
      const home = join(folder, open.name)
      mkdirSync(home)
      const database = await open(home)
      try {
        const found = await benchDatabase(database, { folder: home, bigShape: { images, containers }, files, rounds })
        printTable(`${shapeName({ images, containers })}, against ${shapeName(smallShape)}`, found)
        rows.push(...found)
      } finally {
        await database.stop()
      }
      rmSync(home, { recursive: true })
    }
    saveResults('scale', rows)
    return rows
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
