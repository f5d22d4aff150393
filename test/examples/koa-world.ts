/** What the Koa example lives among: a real OpenID provider, a real directory, and the example itself on loopback. */
import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findSlapd, startSlapd, type ThrowawayDirectory } from '../../scripts/slapd.mjs'
import { listen } from '../adapters/host.js'
import { type Registry, StepError } from '../adapters/push.js'
import { type Certificates, makeCertificates } from '../e2e/harness/certificates.js'
import { PACKAGE } from '../e2e/harness/paths.js'
import type { Example } from './example.js'
import { signIn } from './koa-sign-in.js'

/** What the tokens of these tests are for. */
export const audience = 'https://registry.example/library'

interface Issuer {
  readonly issuer: string
  readonly jwksUri: string
  readonly robotSecret: string
  close(): Promise<void>
}

interface BuildOptions {
  publicUrl(request: { headers: Record<string, unknown> }): string
  readonly directory: string
  readonly oidc: { readonly issuer: string; readonly audience: string; readonly jwksUri: string }
  readonly ldap: object
  readonly rules: object
  audit(entry: Record<string, unknown>): void
  readonly maxBytes: number
}

export interface World {
  readonly url: string
  readonly issuer: Issuer
  /** The private key that the provider signs with. */
  readonly key: JsonWebKey
  readonly slapd: ThrowawayDirectory
  readonly library: Example['library']
  readonly audit: readonly Record<string, unknown>[]
  /** Moves the clock by which the example forgets what the directory said. */
  passSeconds(seconds: number): void
  /** Signs in at the provider. */
  tokenOf(person: string): Promise<string>
  as(person: string): Promise<Registry>
  close(): Promise<void>
}

const load = (file: string): Promise<unknown> => import(`../../examples/koa/${file}` as string) as Promise<unknown>

export const startIssuer = async (options: object = {}): Promise<Issuer> =>
  ((await load('trial-issuer.mjs')) as { startIssuer(options: object): Promise<Issuer> }).startIssuer(options)

/** What the tests lack here; undefined when nothing. Root installs slapd where it is missing. */
export function worldMissing(): string | undefined {
  return findSlapd() !== undefined || process.getuid?.() === 0
    ? undefined
    : 'slapd is not installed (Debian: apt-get install slapd)'
}

async function startDirectory(certificates: Certificates): Promise<ThrowawayDirectory> {
  return startSlapd({ ldif: await readFile(join(PACKAGE, 'examples/koa/people.ldif'), 'utf8'), tls: certificates })
}

interface WorldOptions {
  /** Laid over the options of the directory. */
  readonly ldap?: object
  readonly rules?: object
}

/** What was begun is ended when a later step fails. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const ends: (() => Promise<unknown>)[] = []
  const close = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end()
  }
  try {
    return { ...(await begin(options, ends)), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function begin(
  { ldap = {}, rules = {} }: WorldOptions,
  ends: (() => Promise<unknown>)[],
): Promise<Omit<World, 'close'>> {
  const folder = await mkdtemp(join(tmpdir(), 'sif-library-koa-'))
  ends.push(() => rm(folder, { recursive: true }))
  const certificates = await makeCertificates()
  ends.push(() => certificates.remove())
  const slapd = await startDirectory(certificates)
  ends.push(() => slapd.stop())
  const key = {
    ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
    kid: 'one',
    alg: 'RS256',
    use: 'sig',
  }
  const issuer = await startIssuer({ key })
  ends.push(() => issuer.close())
  const audit: Record<string, unknown>[] = []
  let later = 0
  const { buildApp } = (await load('app.mjs')) as {
    buildApp(options: BuildOptions): Example & { app: { callback(): RequestListener } }
  }
  const { app, library } = buildApp({
    publicUrl: ({ headers }) => `http://${String(headers.host)}/library`,
    directory: folder,
    oidc: { issuer: issuer.issuer, audience, jwksUri: issuer.jwksUri },
    ldap: {
      url: slapd.secureUrl,
      ca: await readFile(certificates.ca, 'utf8'),
      base: slapd.base,
      bindDn: slapd.account.dn,
      bindPassword: slapd.account.password,
      cacheSeconds: 60,
      timeoutSeconds: 1,
      now: () => Date.now() + later * 1000,
      ...ldap,
    },
    rules,
    audit: (entry) => audit.push(entry),
    maxBytes: 200_000,
  })
  ends.push(() => library.close())
  const running = await listen(createServer(app.callback()))
  ends.push(() => running.close())
  const url = `${running.origin}/library`
  const tokens = new Map<string, Promise<string>>()
  const tokenOf = (person: string): Promise<string> => {
    const token =
      tokens.get(person) ??
      signIn(person, { issuer: issuer.issuer, audience }).then(({ access_token }) => String(access_token))
    tokens.set(person, token)
    return token
  }
  return {
    url,
    issuer,
    key,
    slapd,
    library,
    audit,
    passSeconds: (seconds) => {
      later += seconds
    },
    tokenOf,
    as: async (person) => ({ url, token: await tokenOf(person) }),
  }
}

/** `done`, or the status and the message that the person at the command line reads. */
export const outcome = (step: Promise<unknown>): Promise<string> =>
  step.then(
    () => 'done',
    (error: unknown) =>
      error instanceof StepError
        ? `${error.status} ${String((error.answer.json().error as { message: string }).message)}`
        : String(error),
  )
