import { buildGo } from './go.js'
import { runOk } from './run.js'

/** What the ordinary SIF library reads in a file (`test/e2e/clients/sif`). Sizes and offsets are bytes. */
export interface SifDescription {
  readonly version: string
  readonly arch: string
  readonly id: string
  readonly launch: string
  readonly createdAt: number
  readonly descriptorsFree: number
  readonly descriptorsTotal: number
  readonly dataOffset: number
  readonly dataSize: number
  readonly size: number
  readonly objects: readonly {
    readonly id: number
    readonly type: string
    readonly name: string
    readonly group: number
    readonly offset: number
    readonly size: number
    readonly fileSystem?: string
    readonly partition?: string
    readonly arch?: string
    readonly hash?: string
    readonly fingerprint?: string
  }[]
}

export interface SifToMake {
  /** Bytes of the whole file. */
  readonly size: number
  readonly arch: string
  readonly seed?: number
  readonly encrypted?: boolean
  readonly fingerprints?: readonly string[]
}

/** Writes a SIF file with the ordinary library. */
export async function makeRealSif(file: string, options: SifToMake): Promise<SifDescription> {
  const { size, arch, seed = 1, encrypted = false, fingerprints = [] } = options
  const args = [
    'make',
    file,
    '--size',
    String(size),
    '--arch',
    arch,
    '--seed',
    String(seed),
    ...(encrypted ? ['--encrypted'] : []),
  ]
  const signers = fingerprints.flatMap((fingerprint) => ['--fingerprint', fingerprint])
  return JSON.parse(await runOk(await buildGo('sif'), { args: [...args, ...signers] })) as SifDescription
}

/** Reads a SIF file with the ordinary library; rejects where it refuses the file. */
export async function readRealSif(file: string): Promise<SifDescription> {
  return JSON.parse(await runOk(await buildGo('sif'), { args: ['read', file] })) as SifDescription
}
