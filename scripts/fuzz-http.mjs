/**
 * Hostile raw requests against a server of its own on the loopback interface: no 5xx, no hang, memory and handles back where they were, the images unharmed.
 *
 *     node scripts/fuzz-http.mjs [--requests 100000] [--seed 20261107]
 */
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { argv, exit } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { hostileRequest, random } from './fuzz-requests.mjs'
import { startFuzzServer } from './fuzz-server.mjs'

const connections = 16
const answerMs = 10_000

async function json(url, token, method, path, body) {
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: body instanceof Uint8Array ? body : JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  const text = await response.text()
  return text === '' ? undefined : JSON.parse(text).data
}

/** A registry with something in it: ids, names and URLs that the requests may hit. */
async function prepare({ url, ask }) {
  const bob = await ask('token', 'bob')
  const mallory = await ask('token', 'mallory')
  const bytes = Buffer.alloc(2500, 'fuzz ')
  const hash = `sha256.${createHash('sha256').update(bytes).digest('hex')}`
  const entity = (await json(url, bob, 'POST', '/v1/entities', { name: 'bob' })).id
  const collection = (await json(url, bob, 'POST', '/v1/collections', { name: 'c', entity })).id
  const container = (await json(url, bob, 'POST', '/v1/containers', { name: 'n', collection })).id
  const image = (await json(url, bob, 'POST', '/v1/images', { hash, container })).id
  await json(url, bob, 'POST', `/v1/imagefile/${image}`, bytes)
  await json(url, bob, 'POST', `/v2/tags/${container}`, { Tag: 'v1', Arch: 'amd64', ImageID: image })
  const other = `sha256.${'0'.repeat(64)}`
  const pending = (await json(url, bob, 'POST', '/v1/images', { hash: other, container })).id
  const { uploadID } = await json(url, bob, 'POST', `/v2/imagefile/${pending}/_multipart`, { filesize: 2500 })
  const part = await json(url, bob, 'PUT', `/v2/imagefile/${pending}/_multipart`, {
    uploadID,
    partNumber: 1,
    partSize: 1000,
    sha256sum: '',
  })
  const single = await json(url, bob, 'POST', `/v2/imagefile/${pending}`, { filesize: 2500 })
  const pull = await fetch(`${url}/v1/imagefile/bob/c/n:v1`, { redirect: 'manual' })
  const urls = [part.presignedURL, single.uploadURL, pull.headers.get('location') ?? ''].map((absolute) =>
    absolute.slice(url.length),
  )
  // the published image is left out of what may be deleted by name: bob's token does not reach the requests that delete
  return {
    target: {
      parts: ['bob', 'c', 'n', 'v1', 'mallory', 'x1', hash, other, 'amd64'],
      ids: [entity, collection, container, image, pending, uploadID, 'f'.repeat(24), 'x'],
      tokens: [bob, mallory, 'wrong'],
      urls,
      bytes,
    },
    bob,
    keep: { bytes, hash },
  }
}

/** Sends one request, or several at once, on a connection of its own; answers the statuses, and whether the server owed an answer and gave none. */
function exchange(port, bytes, { whole }) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    const statuses = () => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]))
    let hung = false
    const done = () => {
      clearTimeout(timer)
      // a reset: no port is left waiting
      socket.resetAndDestroy()
      resolve({ statuses: statuses(), hung, text })
    }
    const timer = setTimeout(
      () => {
        hung = whole
        done()
      },
      whole ? answerMs : 30,
    )
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      // 100 Continue is no answer
      if (whole && statuses().some((status) => status >= 200)) done()
    })
    socket.on('error', done)
    socket.on('close', done)
    socket.write(bytes)
  })
}

/** @param {{ requests: number, seed: number, log?: (line: string) => void }} options */
export async function fuzzHttp({ requests, seed, log = () => {} }) {
  const server = await startFuzzServer()
  const port = Number(new URL(server.url).port)
  const result = {
    requests: 0,
    seed,
    statuses: {},
    serverErrors: [],
    hangs: [],
    before: undefined,
    after: undefined,
    left: [],
    kept: false,
  }
  try {
    const { target, bob, keep } = await prepare(server)
    const draw = random(seed)
    const started = Date.now()
    const warmUp = Math.ceil(requests / 10)
    const work = async (limit) => {
      while (result.requests < limit) {
        // several in one go now and then
        const count = draw.chance(0.1) ? 2 + draw.below(4) : 1
        const sent = Array.from({ length: count }, () => hostileRequest(draw, target))
        result.requests += count
        const bytes = Buffer.concat(sent.map((request) => request.bytes))
        const { statuses, hung, text } = await exchange(port, bytes, { whole: sent[0].whole })
        for (const status of statuses) result.statuses[status] = (result.statuses[status] ?? 0) + 1
        const repeat = bytes.toString('latin1').slice(0, 2000)
        if (statuses.some((status) => status >= 500))
          result.serverErrors.push({ request: repeat, answer: text.slice(0, 500) })
        if (hung) result.hangs.push({ request: repeat, answer: text.slice(0, 500) })
      }
    }
    const rush = (limit) => Promise.all(Array.from({ length: connections }, () => work(limit)))
    await rush(warmUp)
    await new Promise((resolve) => setTimeout(resolve, 3000))
    result.before = await server.ask('state')
    for (let next = warmUp + 10_000; result.requests < requests; next += 10_000) {
      await rush(Math.min(next, requests))
      log(
        `${result.requests} requests in ${((Date.now() - started) / 1000).toFixed(0)} s, ${result.serverErrors.length} 5xx, ${result.hangs.length} hangs`,
      )
    }
    // longer than the idle time of a body
    await new Promise((resolve) => setTimeout(resolve, 3500))
    result.after = await server.ask('state')
    result.serverErrors.push(...result.after.errors.map((error) => ({ request: '(log)', answer: error })))
    const container = (await json(server.url, bob, 'POST', '/v1/containers', { name: 'n', collection: target.ids[1] }))
      .id
    result.left = await server.ask('sweep')
    // bob's own token was among those that were thrown at it, so the image may have been deleted; it must be all there or not at all
    const pull = await fetch(`${server.url}/v1/imagefile/bob/c/n:${keep.hash}`)
    const got = pull.status === 404 ? undefined : Buffer.from(await pull.arrayBuffer())
    result.kept = container === target.ids[2] && (got === undefined || got.equals(keep.bytes))
  } finally {
    await server.stop()
  }
  return result
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { requests: { type: 'string', default: '100000' }, seed: { type: 'string', default: '20261107' } },
  })
  const result = await fuzzHttp({
    requests: Number(values.requests),
    seed: Number(values.seed),
    log: (line) => console.error(line),
  })
  const MiB = (bytes) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`
  for (const fault of [...result.serverErrors, ...result.hangs].slice(0, 20)) console.error(fault)
  console.log(
    JSON.stringify(
      {
        requests: result.requests,
        seed: result.seed,
        statuses: result.statuses,
        serverErrors: result.serverErrors.length,
        hangs: result.hangs.length,
        heap: `${MiB(result.before.heapUsed)} -> ${MiB(result.after.heapUsed)}`,
        rss: `${MiB(result.before.rss)} -> ${MiB(result.after.rss)}`,
        handles: `${result.before.handles} -> ${result.after.handles}`,
        filesLeftAfterSweep: result.left.length,
        imageUnharmed: result.kept,
      },
      null,
      2,
    ),
  )
  if (result.serverErrors.length > 0 || result.hangs.length > 0 || !result.kept) exit(1)
}
