/**
 * Two instances over one PostgreSQL against one, on GetImage. They are to serve 1.7 times as many requests a second; where the cores for two, the database and the load are
 * missing, each request must cost the instances the same CPU. Two registries that share nothing but the database server are the control: what these cost more together than
 * each alone is the machine's (two busy processes beside the database and the load), so an instance is held to them.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { postgresDatabase } from './lib/database.mjs'
import { getRequest, sendRequests } from './lib/load.mjs'
import { median, printTable, saveResults } from './lib/report.mjs'
import { filledEnv, startServe } from './lib/serve.mjs'
import { anyImagePath, fillStore } from './metadata-fill.mjs'

const connections = 64

/** Requests per second, and CPU of the instances per request in µs; each gets its share of the requests and of the connections, at once. */
async function load(instances, { count, shape }) {
  const cpu = () => instances.reduce((sum, instance) => sum + instance.cpu(), 0)
  const before = cpu()
  const begun = performance.now()
  const share = {
    request: () => getRequest(anyImagePath(shape)),
    count: Math.round(count / instances.length),
    connections: Math.round(connections / instances.length),
  }
  await Promise.all(instances.map(({ port }) => sendRequests({ port, ...share })))
  return { speed: count / ((performance.now() - begun) / 1000), cpu: ((cpu() - before) / count) * 1e6 }
}

/** The samples of each subject, a list of instances. They take turns and another one begins each round, so that none has the same neighbour all the time. */
async function sample(subjects, { rounds, ...work }) {
  const names = Object.keys(subjects)
  const samples = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(round + turn) % names.length]
      samples[name].push(await load(subjects[name], work))
    }
  }
  return samples
}

const mean = (first, second) => first.map((value, round) => (value + second[round]) / 2)
const ratioOf = (values, base) => median(values.map((value, round) => value / base[round]))
/** One member of each sample, round by round. */
const pick = (samples, member) => samples.map((sample) => sample[member])

/** What a pair does together against the mean of what its two do alone. */
function compare(member, pair, alone) {
  const values = pick(pair, member)
  return {
    value: median(values),
    ratio: ratioOf(values, mean(...alone.map((samples) => pick(samples, member)))),
    to: 'one instance',
  }
}

function rowsOf({ one, two, other, both, strangers }) {
  const enough = availableParallelism() >= 4
  if (!enough)
    console.log(
      'too few cores for two instances, the database and the load at once, so what counts is the CPU per request of the instances',
    )
  const speed = { unit: 'requests/s', ...compare('speed', both, [one, two]) }
  const cpu = { unit: 'µs CPU', ...compare('cpu', both, [one, two]) }
  const sharing = ratioOf(pick(both, 'cpu'), pick(strangers, 'cpu'))
  return [
    {
      what: 'GetImage, two instances of one registry',
      ...speed,
      ...(enough ? { goal: '≥ 1.7', holds: speed.ratio >= 1.7 } : {}),
    },
    { what: 'the same, the instances only', ...cpu },
    {
      what: 'GetImage, two registries that share nothing',
      unit: 'requests/s',
      ...compare('speed', strangers, [one, other]),
    },
    { what: 'the same, the instances only', unit: 'µs CPU', ...compare('cpu', strangers, [one, other]) },
    {
      what: 'what sharing costs',
      ...cpu,
      ratio: sharing,
      to: 'two that share nothing',
      goal: '≤ 1.1',
      holds: sharing <= 1.1,
    },
  ]
}

export async function benchInstances({ images = 200_000, containers = 2000, rounds = 21, count = 8000 }) {
  const cache = fileURLToPath(new URL('../.cache/', import.meta.url))
  mkdirSync(cache, { recursive: true })
  const shape = { images, containers }
  const database = await postgresDatabase()
  const folder = mkdtempSync(join(cache, 'bench-'))
  const running = []
  const start = async (name, url) => {
    const instance = await startServe(join(folder, name), { env: filledEnv(url) })
    running.push(instance)
    return instance
  }
  try {
    const url = await database.create('registry')
    await fillStore(url, shape)
    const otherUrl = await database.create('other', { like: 'registry' })
    const one = await start('registry', url)
    const two = await start('registry', url)
    const other = await start('other', otherUrl)
    // each must have run long enough for its code to be compiled
    for (const instance of running) await load([instance], { count: 4 * count, shape })
    const subjects = { one: [one], two: [two], other: [other], both: [one, two], strangers: [one, other] }
    const rows = rowsOf(await sample(subjects, { rounds, count, shape }))
    printTable('Two instances over PostgreSQL against one', rows)
    saveResults('instances', rows)
    return rows
  } finally {
    await Promise.all(running.map((instance) => instance.stop()))
    await database.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
