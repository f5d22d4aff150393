/**
 * A ranged GET at the store with a token beside the signature, as clients send it who are signed in
 * to a registry on the same host.
 */
import { placeOfStore } from 'sif-library'
import type { Finding, Findings } from './finding.js'
import { type ProbeAnswer, sendProbe } from './http-probe.js'

interface SignedInGet {
  /** Presigned; the host of the store is all that is shown of it. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly ca: string | Uint8Array | undefined
  readonly publicUrl: string | undefined
  /** What lies there. */
  readonly bytes: Uint8Array
}

/** Libraries up to 1.3 spell it in capitals, and some stores let that pass. */
const schemes = ['Bearer', 'BEARER'] as const

async function takesToken({ url, headers, ca, bytes }: SignedInGet, scheme: string): Promise<string | undefined> {
  const token = { authorization: `${scheme} doctor`, range: 'bytes=100-199' }
  const answer: ProbeAnswer = await sendProbe(url, { method: 'GET', headers: { ...headers, ...token }, ca })
  if (answer.status === 206 && answer.body.equals(bytes.subarray(100, 200))) return undefined
  return `status ${answer.status}${answer.code === undefined ? '' : ` ${answer.code}`} to ${scheme}`
}

const places: Readonly<Record<ReturnType<typeof placeOfStore> | 'unknown', Omit<Finding, 'check' | 'found'>>> = {
  authority: {
    state: 'warning',
    cause:
      'registry and store share this host and port, so clients would send their token to the store: all pulls of signed-in clients pass through serve instead',
    fix: 'give the store a name of its own (storage URL: publicEndpoint=https://s3.…), or accept the detour',
  },
  name: {
    state: 'ok',
    cause:
      'the store has the host name of the registry, or one below it: signed-in clients up to Singularity 3.8, and those whose User-Agent was changed, get their bytes through serve',
  },
  elsewhere: { state: 'ok' },
  unknown: { state: 'ok' },
}

/** A refusal is no fault by itself: the registry redirects nobody who would meet it. */
export async function* checkSignedInGet(get: SignedInGet): Findings {
  const { origin } = new URL(get.url)
  const check = `ranged GET with a token at ${origin}, as a signed-in client sends it`
  try {
    const refused: string[] = []
    for (const scheme of schemes) {
      const refusal = await takesToken(get, scheme)
      if (refusal !== undefined) refused.push(refusal)
    }
    if (refused.length === 0) {
      yield { check, state: 'ok', found: 'accepted' }
      return
    }
    const place = get.publicUrl === undefined ? 'unknown' : placeOfStore(get.publicUrl, get.url)
    yield { check, found: `refused (${refused.join(', ')}), as most stores do`, ...places[place] }
  } catch (error) {
    yield { check, state: 'warning', found: error instanceof Error ? error.message : String(error) }
  }
}
