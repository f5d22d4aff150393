/** Builds the registry aside from `dist` and runs it in a process of its own, for the fuzzers. Loopback only. */
import { fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

const root = fileURLToPath(new URL('..', import.meta.url))

async function buildServer() {
  const outDir = join(root, '.cache', 'fuzz', String(process.pid))
  await build({
    config: false,
    silent: true,
    entry: {
      index: join(root, 'src/core/index.ts'),
      api: join(root, 'src/extensions/api/index.ts'),
      node: join(root, 'src/adapters/node.ts'),
      filesystem: join(root, 'src/storage/blob/filesystem/index.ts'),
      sqlite: join(root, 'src/storage/metadata/sqlite/index.ts'),
    },
    outDir,
    format: ['esm'],
    target: 'node20',
    dts: false,
    clean: true,
    removeNodeProtocol: false,
  })
  return outDir
}

/** Starts the server; `stop` ends it and removes its folders. */
export async function startFuzzServer() {
  const directory = await mkdtemp(join(tmpdir(), 'sif-library-fuzz-http-'))
  const output = await buildServer()
  const child = fork(fileURLToPath(new URL('fuzz-child.mjs', import.meta.url)), [output, directory], {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const waiting = new Map()
  let next = 0
  let gone = false
  child.on('message', ({ id, value, error }) => {
    const { resolve, reject } = waiting.get(id) ?? {}
    waiting.delete(id)
    if (error === undefined) resolve?.(value)
    else reject?.(new Error(error))
  })
  child.on('exit', (code) => {
    gone = true
    for (const { reject } of waiting.values()) reject(new Error(`the server ended with code ${code}`))
    waiting.clear()
  })
  const reply = (id) => new Promise((resolve, reject) => waiting.set(id, { resolve, reject }))
  const ask = (what, argument) => {
    if (gone) return Promise.reject(new Error('the server has ended'))
    next += 1
    const answer = reply(next)
    child.send({ id: next, ask: what, argument })
    return answer
  }
  const url = await reply(0)
  return {
    url,
    ask,
    stop: async () => {
      if (!gone) {
        const ended = new Promise((resolve) => child.once('exit', resolve))
        await ask('stop').catch(() => {})
        const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
        await ended
        clearTimeout(timer)
      }
      await rm(directory, { recursive: true, force: true })
      await rm(output, { recursive: true, force: true })
    },
  }
}
