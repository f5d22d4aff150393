/**
 * From flags, environment and configuration file to settings; in this order, the first one that has
 * a value wins.
 */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { systemReason, UsageError } from '../failure.js'
import { nearest } from './nearest.js'
import { type OptionKey, optionKeys, optionName, optionTable, optionVariable, type Settings } from './table.js'

export type Environment = Readonly<Record<string, string | undefined>>

/** Values of flags as they were typed; a flag without a value is `true`. */
export type Flags = Partial<Record<OptionKey, unknown>>

/**
 * The signing secret: never an argument and never a key of a file, so it stands outside the table.
 */
export const secretVariable = 'SIF_LIBRARY_SECRET'

/**
 * The key that signs upload URLs of an S3 store: like the signing secret, from the environment
 * alone.
 */
export const uploadKeyVariables = {
  id: 'SIF_LIBRARY_UPLOAD_ACCESS_KEY_ID',
  secret: 'SIF_LIBRARY_UPLOAD_SECRET_ACCESS_KEY',
} as const
const secretVariables: readonly string[] = [secretVariable, uploadKeyVariables.id, uploadKeyVariables.secret]

const prefix = 'SIF_LIBRARY_'
/** Settings of this package's own tests. */
const testPrefix = 'SIF_LIBRARY_TEST_'

const keyOfName: ReadonlyMap<string, OptionKey> = new Map(optionKeys.map((key) => [optionName(key), key]))
const keyOfVariable: ReadonlyMap<string, OptionKey> = new Map(optionKeys.map((key) => [optionVariable(key), key]))

function readValue(key: OptionKey, source: { readonly name: string; readonly value: unknown }): unknown {
  try {
    return optionTable[key].kind.read(source.value)
  } catch (error) {
    throw new UsageError(`${source.name}: ${(error as Error).message}`)
  }
}

/** What Kubernetes tells each container about a Service that is called sif-library. */
function isOfKubernetes(name: string, value: string | undefined): boolean {
  return (
    /^SIF_LIBRARY_(?:SERVICE_.+|PORT_\d+_.+)$/.test(name) ||
    (name === 'SIF_LIBRARY_PORT' && /^[a-z]+:\/\//.test(value ?? ''))
  )
}

function readEnvironment(environment: Environment): Flags {
  const found: Flags = {}
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(prefix) || name.startsWith(testPrefix) || secretVariables.includes(name)) continue
    if (isOfKubernetes(name, value)) continue
    const key = keyOfVariable.get(name)
    if (key === undefined)
      throw new UsageError(
        `unknown environment variable ${name}: did you mean ${nearest(name, [...keyOfVariable.keys(), ...secretVariables])}?`,
      )
    // an empty variable is how container tools write "not set"
    if (value !== undefined && value !== '') found[key] = readValue(key, { name, value })
  }
  return found
}

function readUploadKey(environment: Environment): Settings['uploadKey'] {
  const { id, secret } = uploadKeyVariables
  // an empty variable is how container tools write "not set"
  const [accessKeyId, secretAccessKey] = [environment[id] || undefined, environment[secret] || undefined]
  if (accessKeyId !== undefined && secretAccessKey !== undefined) return { accessKeyId, secretAccessKey }
  if (accessKeyId === secretAccessKey) return undefined
  throw new UsageError(`${accessKeyId === undefined ? id : secret} is missing: the two belong together`)
}

function parseFile(file: string): unknown {
  let content: string
  try {
    content = readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`--config: cannot read ${file}: ${systemReason(error)}`)
  }
  try {
    // JSON is YAML
    return parse(content) as unknown
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message.split('\n')[0]}`)
  }
}

function readFile(file: string): Flags {
  const parsed = parseFile(file) ?? {}
  if (typeof parsed !== 'object' || Array.isArray(parsed)) throw new UsageError(`${file}: expected keys and values`)
  const names = [...keyOfName.keys()].filter((name) => name !== optionName('config'))
  const found: Flags = {}
  for (const [name, value] of Object.entries(parsed)) {
    if (name === '$schema') continue
    const key = keyOfName.get(name)
    if (key === undefined || key === 'config')
      throw new UsageError(`${file}: unknown key ${JSON.stringify(name)}: did you mean ${nearest(name, names)}?`)
    found[key] = readValue(key, { name: `${file}: ${name}`, value })
  }
  return found
}

/**
 * Puts all sources together. Throws UsageError for a value that can't be read and for a name that
 * is not in the table.
 */
export function resolveSettings(sources: { readonly flags: Flags; readonly environment: Environment }): Settings {
  const flags: Flags = {}
  for (const [key, value] of Object.entries(sources.flags) as [OptionKey, unknown][])
    flags[key] = readValue(key, { name: `--${optionName(key)}`, value })
  const environment = readEnvironment(sources.environment)
  const config = flags.config ?? environment.config
  const file = typeof config === 'string' ? readFile(config) : {}
  const fallbacks = Object.fromEntries(optionKeys.map((key) => [key, optionTable[key].fallback]))
  // every value went through its kind, which gives the type that Settings names
  const settings = { ...fallbacks, ...file, ...environment, ...flags } as unknown as Settings
  const uploadKey = readUploadKey(sources.environment)
  return uploadKey === undefined ? settings : { ...settings, uploadKey }
}
