/**
 * CPU per small request, as ratios in one run: bare node:http, `version` and GetImage of the mounted library, the same of `serve` with its defaults and without its log, and the Go
 * registry's manifest.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findDistribution, pushManifest } from './lib/distribution.mjs'
import { getRequest, sendRequests } from './lib/load.mjs'
import { startModule } from './lib/process.mjs'
import { median, printTable, saveResults } from './lib/report.mjs'
import { filledEnv, startServe } from './lib/serve.mjs'
import { fillDatabase, perContainer } from './metadata-fill.mjs'

const server = (name) => new URL(`./servers/${name}.mjs`, import.meta.url)

export async function benchRequests({ rounds = 7, requests = 8000, images = 1_000_000, keep }) {
  const folder = keep ?? mkdtempSync(join(tmpdir(), 'sif-library-bench-'))
  const running = []
  const start = async (...args) => {
    const started = await startModule(...args)
    running.push(started)
    return started
  }
  try {
    const few = join(folder, 'few.db')
    const many = join(folder, 'many.db')
    await fillDatabase(few, 100)
    await fillDatabase(many, images)
    const registryFew = await start(server('registry'), { database: few, blobs: join(folder, 'blobs') })
    const registryMany = await start(server('registry'), { database: many, blobs: join(folder, 'blobs') })
    const imagePath = (container, tag) => `/v1/images/alice/tools/${container}:${tag}?arch=amd64`
    const sample = await (
      await fetch(`http://127.0.0.1:${registryFew.port}${imagePath('container-0', '0.0.0')}`)
    ).text()
    const version = await (await fetch(`http://127.0.0.1:${registryFew.port}/version`)).text()
    const bareVersion = await start(server('bare'), { body: version })
    const bareImage = await start(server('bare'), { body: sample })
    const lastContainer = `container-${Math.floor((images - 1) / perContainer)}`
    const authorization = { authorization: `Bearer ${registryFew.token}` }
    const cases = {
      'bare, version': { target: bareVersion, request: getRequest('/version') },
      version: { target: registryFew, request: getRequest('/version') },
      'bare, image': { target: bareImage, request: getRequest('/v1/images/x') },
      'GetImage, 100 images': { target: registryFew, request: getRequest(imagePath('container-0', '0.0.0')) },
      [`GetImage, ${images} images`]: { target: registryMany, request: getRequest(imagePath(lastContainer, '0.0.0')) },
      'GetImage, with a token': {
        target: registryFew,
        request: getRequest(imagePath('container-0', '0.0.0'), authorization),
      },
    }
    // `serve` as it is without options, and the same without a log
    for (const [name, logLevel] of [
      ['serve', 'info'],
      ['serve without log', 'silent'],
    ]) {
      const database = join(folder, `${logLevel}.db`)
      await fillDatabase(database, 100)
      const target = await startServe(join(folder, logLevel), { env: filledEnv(`sqlite:${database}`), logLevel })
      running.push(target)
      cases[`${name}, version`] = { target, request: getRequest('/version') }
      cases[`${name}, GetImage`] = { target, request: getRequest(imagePath('container-0', '0.0.0')) }
    }
    const distribution = await findDistribution()
    if (distribution === undefined) console.log('the Go registry is left out: Go cannot build it here')
    else {
      const go = await distribution.start(join(folder, 'distribution'))
      running.push(go)
      await pushManifest(go.port)
      cases['distribution, manifest'] = {
        target: go,
        request: getRequest('/v2/bench/manifests/latest', { accept: 'application/vnd.oci.image.manifest.v1+json' }),
      }
    }
    const samples = Object.fromEntries(Object.keys(cases).map((name) => [name, []]))
    for (let round = -1; round < rounds; round += 1) {
      for (const [name, { target, request }] of Object.entries(cases)) {
        const before = target.cpu()
        await sendRequests({ port: target.port, request, count: requests })
        // the first round warms up
        if (round >= 0) samples[name].push(((target.cpu() - before) / requests) * 1e6)
      }
    }
    const cpu = Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, median(values)]))
    const ratio = (a, b) => cpu[a] / cpu[b]
    const row = (what, to, goal, holds) => ({
      what,
      value: cpu[what],
      unit: 'µs CPU',
      ...(to ? { ratio: ratio(what, to), to } : {}),
      ...(goal ? { goal, holds: holds(ratio(what, to)) } : {}),
    })
    const manyName = `GetImage, ${images} images`
    const tokenCost = cpu['GetImage, with a token'] - cpu['GetImage, 100 images']
    const rows = [
      row('bare, version'),
      row('version', 'bare, version', '≤ 1.3', (value) => value <= 1.3),
      row('bare, image'),
      row('GetImage, 100 images', 'bare, image', '≤ 2.0', (value) => value <= 2),
      row(manyName, 'GetImage, 100 images', '≤ 1.2', (value) => value <= 1.2),
      row('serve without log, version', 'bare, version'),
      row('serve, version', 'serve without log, version', '≤ 1.15', (value) => value <= 1.15),
      row('serve without log, GetImage', 'bare, image'),
      row('serve, GetImage', 'serve without log, GetImage', '≤ 1.15', (value) => value <= 1.15),
      { what: 'token check', value: tokenCost, unit: 'µs CPU', goal: '< 10 µs', holds: tokenCost < 10 },
    ]
    if ('distribution, manifest' in cpu)
      rows.push(row('distribution, manifest'), {
        ...row('GetImage, 100 images', 'distribution, manifest', '≤ 0.1', (value) => value <= 0.1),
      })
    printTable('CPU per small request', rows)
    saveResults('requests', rows)
    return rows
  } finally {
    await Promise.all(running.map((one) => one.stop()))
    if (keep === undefined) rmSync(folder, { recursive: true, force: true })
  }
}
