/** `sweep --json`, `verify --json` and `reindex --json` that a signal had ended printed the same as one that was through. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Command } from '../../../src/cli/command.js'
import { reindex } from '../../../src/cli/commands/reindex.js'
import { sweep } from '../../../src/cli/commands/sweep.js'
import { verify } from '../../../src/cli/commands/verify.js'
import { resolveSettings } from '../../../src/cli/options/resolve.js'
import { filesystemStorage } from '../../../src/storage/blob/filesystem/index.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'
import { push } from '../../support/push.js'
import { createTestRegistry } from '../../support/registry.js'
import { drained } from '../../support/sidecars.js'

let data: string
const listeners = new Map<NodeJS.Signals, readonly NodeJS.SignalsListener[]>()
const added = (signal: NodeJS.Signals): readonly NodeJS.SignalsListener[] =>
  (process.listeners(signal) as NodeJS.SignalsListener[]).filter(
    (listener) => listeners.get(signal)?.includes(listener) !== true,
  )

beforeEach(async () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    listeners.set(signal, process.listeners(signal) as NodeJS.SignalsListener[])
  data = await mkdtemp(join(tmpdir(), 'sif-library-stopped-'))
  const registry = await createTestRegistry({
    storage: filesystemStorage({ directory: join(data, 'blobs') }),
    metadata: sqliteMetadata({ file: join(data, 'registry.db') }),
  })
  for (const name of ['one', 'two']) await push(registry, `alice/tools/${name}`, Buffer.from(name))
  await drained(registry)
  await registry.close()
})
afterEach(async () => {
  for (const signal of listeners.keys()) for (const listener of added(signal)) process.removeListener(signal, listener)
  await rm(data, { recursive: true })
})

/** Runs a command with --json, and sends it a SIGINT when it first says how far it is. */
async function run(command: Command, stops: boolean) {
  const written: string[] = []
  let sent = !stops
  const progress = (): void => {
    if (sent) return
    sent = true
    for (const listener of added('SIGINT')) listener('SIGINT')
  }
  const terminal = {
    out: (line: string) => void written.push(line),
    note: () => {},
    progress,
    environment: {},
    home: data,
  }
  const settings = resolveSettings({
    flags: { data, json: true, ...(command === verify && { all: true }) },
    environment: {},
  })
  const code = await command.run({ settings, args: [], terminal })
  return { code, json: JSON.parse(written.join('\n')) }
}

it.each([verify, sweep, reindex].map((command) => [command.name, command] as const))(
  '%s --json',
  async (_, command) => {
    const stopped = await run(command, true)
    expect([stopped.code, stopped.json.stopped]).toEqual([130, true])
    for (const [signal] of listeners) for (const listener of added(signal)) process.removeListener(signal, listener)
    const whole = await run(command, false)
    expect([whole.code ?? 0, 'stopped' in whole.json]).toEqual([0, false])
  },
)
