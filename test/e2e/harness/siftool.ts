/** The official `siftool` and SIF library (`test/e2e/clients/siftool`), and the files that the library's own tests use. */
import { join } from 'node:path'
import { buildGo } from './go.js'
import { CLIENTS } from './paths.js'
import { run, runOk } from './run.js'

/** Runs a command of `siftool`; rejects where it fails. */
export async function siftool(...args: readonly string[]): Promise<string> {
  return runOk(await buildGo('siftool'), { args })
}

export interface OfficialObject {
  readonly id: number
  readonly type: string
  readonly name: string
  readonly group: number
  readonly link: number
  readonly linkIsGroup: boolean
  readonly offset: number
  readonly size: number
  /** Seconds since 1970. */
  readonly createdAt: number
  readonly fileSystem?: string
  readonly partition?: string
  readonly arch?: string
  readonly hash?: string
  readonly fingerprint?: string
  readonly format?: string
  readonly message?: string
  readonly digest?: string
}

export interface OfficialDescription {
  readonly version: string
  readonly arch: string
  readonly id: string
  readonly launch: string
  readonly slots: number
  readonly objects: readonly OfficialObject[]
}

/** What the official library reads; undefined where it refuses the file. */
export async function describeOfficially(file: string): Promise<OfficialDescription | undefined> {
  const { code, stdout } = await run(await buildGo('siftool'), { args: ['describe', file] })
  return code === 0 ? (JSON.parse(stdout) as OfficialDescription) : undefined
}

/** Folder of the official library's own test files: `images`, `keys`, `input`. */
export async function officialFiles(): Promise<string> {
  const out = await runOk('go', {
    args: ['list', '-m', '-f', '{{.Dir}}', 'github.com/sylabs/sif/v2'],
    cwd: join(CLIENTS, 'siftool'),
    env: { GOTOOLCHAIN: 'local', GOWORK: 'off', GOFLAGS: '-mod=mod' },
  })
  return join(out.trim(), 'test')
}
