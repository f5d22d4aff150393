import { buildGo } from './go.js'
import { run } from './run.js'

/** One generation of the real client and what it can do (protocol, section 11). */
export interface Generation {
  /** Folder of its Go module in test/e2e/clients. */
  readonly name: string
  /** The CLIs that carry it. */
  readonly cli: string
  /** Keeps the path of the base URL; older ones call `/v1/…` at the root of the host. */
  readonly prefix: boolean
  /** Sends the arch and tags by arch. 0.2.2 knows neither. */
  readonly arches: boolean
  /** Uploads in parts above 64 MiB. */
  readonly parts: boolean
  /** Downloads with ranged GETs behind a 303. */
  readonly ranges: boolean
  readonly deletes: boolean
  /** Sends its PUT by a transport of its own, which our programs do not see. */
  readonly hidesPut?: boolean
  /** Takes no notice of `s3compliant: "false"` and always sends the hash of a part, which a store refuses on a URL that does not sign it (protocol 5.11). */
  readonly alwaysSendsPartHash?: boolean
  /**
   * What a target of a redirect must share with the registry so that a signed-in client of this generation
   * does not go there (protocol 5.7). Default: host and port. `name`: the host name, on any port, or one above
   * it. `nothing`: it never goes, since its User-Agent does not tell it from those that send their token anywhere.
   */
  readonly staysFrom?: 'name' | 'nothing'
}

const modern = { prefix: true, arches: true, parts: true, ranges: true, deletes: true }

export const GENERATIONS: readonly Generation[] = [
  {
    name: 'scs-0.2.2',
    cli: 'Singularity 3.3',
    prefix: false,
    arches: false,
    parts: false,
    ranges: false,
    deletes: false,
    hidesPut: true,
    staysFrom: 'nothing',
  },
  {
    name: 'scs-0.4.4',
    cli: 'Singularity 3.4.1-3.5.2',
    prefix: false,
    arches: true,
    parts: false,
    ranges: false,
    deletes: true,
    staysFrom: 'nothing',
  },
  {
    name: 'scs-0.5.5',
    cli: 'Singularity 3.6.0-3.6.3',
    ...modern,
    ranges: false,
    alwaysSendsPartHash: true,
    staysFrom: 'nothing',
  },
  { name: 'scs-1.0.2', cli: 'Singularity 3.7.0-3.7.1', ...modern, ranges: false, staysFrom: 'name' },
  { name: 'scs-1.2.0', cli: 'SingularityCE 3.9.0-3.9.3', ...modern },
  { name: 'scs-1.3.3', cli: 'SingularityCE 3.10.4', ...modern, staysFrom: 'nothing' },
  { name: 'scs-1.4.16', cli: 'SingularityCE 4.5.1', ...modern },
  { name: 'container-1.4.12', cli: 'Apptainer 1.4', ...modern },
]

/** The generations of those names. */
export function generationsOf(...names: readonly string[]): readonly Generation[] {
  return names.map((name) => {
    const found = GENERATIONS.find((generation) => generation.name === name)
    if (found === undefined) throw new Error(`no client generation ${name}`)
    return found
  })
}

/** One request as the client sent it; the query is cut. */
export interface ClientRequest {
  readonly method: string
  readonly url: string
  readonly range?: string
  readonly status: number
}

/** The line that our client programs print (`test/e2e/clients/command`). Sizes are bytes. */
export interface ClientResult {
  readonly ok: boolean
  readonly generation: string
  readonly command: string
  readonly error?: string
  readonly unsupported?: boolean
  readonly hash?: string
  readonly size?: number
  readonly data?: unknown
  readonly requests: readonly ClientRequest[]
}

/** A client program of one generation, pointed at one library. */
export interface Client {
  readonly generation: Generation
  /** Base URL of the library. */
  readonly url: string
  readonly hasToken: boolean
  /** Runs one command, such as `['push', file, reference, '--arch', 'amd64']`. A refusal of the server is a result, not a rejection. */
  readonly run: (args: readonly string[]) => Promise<ClientResult>
  /** The same program with another token, or without one. */
  readonly as: (token: string | undefined) => Client
}

export interface ClientOptions {
  readonly generation: Generation
  /** Base URL of the library. */
  readonly url: string
  readonly token?: string | undefined
  /** Added to the environment of the client, such as SSL_CERT_FILE. */
  readonly env?: Readonly<Record<string, string>>
}

/** Builds the client where needed. */
export async function makeClient(options: ClientOptions): Promise<Client> {
  const program = await buildGo(options.generation.name)
  return bind(program, options)
}

function bind(program: string, options: ClientOptions): Client {
  const { generation, url, token, env = {} } = options
  const access = ['--url', url, ...(token === undefined ? [] : ['--token', token])]
  return {
    generation,
    url,
    hasToken: token !== undefined,
    as: (other) => bind(program, { generation, url, token: other, env }),
    run: async (args) => {
      const { code, stdout, stderr } = await run(program, { args: [...access, ...args], env, timeout: 900_000 })
      if (code !== 0) throw new Error(`${generation.name} ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`)
      return JSON.parse(stdout) as ClientResult
    },
  }
}

/** Whether a pull of this client may be redirected to a store there. */
export function mayGoToStore({ generation, hasToken, url }: Client, store: string): boolean {
  if (!hasToken) return true
  const [from, to] = [new URL(url), new URL(store)]
  if (generation.staysFrom === 'nothing') return false
  if (generation.staysFrom === 'name')
    return from.hostname !== to.hostname && !to.hostname.endsWith(`.${from.hostname}`)
  return from.host !== to.host
}
