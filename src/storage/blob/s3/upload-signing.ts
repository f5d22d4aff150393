import { isStorageError, StorageError } from '../errors.js'
import type { S3Context } from './context.js'
import { type CopyProbe, probeCopying } from './copy-probe.js'
import type { S3Credentials } from './options.js'
import type { SignUrl } from './signer.js'
import { keepSession, openUploadSession } from './upload-session.js'

/**
 * Who signs upload URLs: a session that may only write, the `uploadCredentials` option, or what
 * signs all else.
 */
export type UploadSigner = 'session' | 'uploadCredentials' | 'credentials'

/** What was found about upload URLs. */
export interface UploadVerdict {
  readonly signedBy: UploadSigner
  /** With these credentials, through the endpoint at which it was seen. */
  readonly copying: CopyProbe['copying']
  readonly answer: string
  /**
   * Through which endpoint: that of the clients, or, where that says nothing, that of this server.
   */
  readonly seenThrough: 'publicEndpoint' | 'endpoint'
  /**
   * The store takes no other bytes than those whose SHA-256 is signed, whatever headers come along.
   */
  readonly bound: boolean
  /** Why no upload URL must be handed out; undefined where it may. */
  readonly blocked: string | undefined
}

export interface UploadSigning {
  /** What was found last; undefined before `find` has ended once. */
  readonly known: UploadVerdict | undefined
  /**
   * Tries what is not known yet, once; what said nothing is tried again in the background after a
   * while.
   */
  find(): Promise<UploadVerdict>
  /** Signs for the public endpoint with what the verdict names. */
  signer(): Promise<SignUrl>
}

export interface UploadSigningDependencies {
  /** Signs for an endpoint with given credentials. */
  readonly signerFor: (
    endpoint: string | undefined,
    credentials: (seconds: number) => Promise<S3Credentials>,
  ) => Promise<SignUrl>
  /** Whether the store takes URLs that sign the SHA-256 of their bytes. */
  readonly binds: () => Promise<boolean>
  /** The `uploadCredentials` option, cached; absent without it. */
  readonly uploadCredentials?: () => Promise<S3Credentials>
}

/** Until what said nothing is tried again, in milliseconds. */
const AGAIN_MS = 60_000
/** Of the sessions with which is tried, in seconds. */
const TRIAL_SECONDS = 300

/**
 * Finds out how upload URLs can be signed so that they let a client write its own bytes and do
 * nothing else.
 */
export function createUploadSigning(context: S3Context, dependencies: UploadSigningDependencies): UploadSigning {
  const { options, connection } = context
  const session = keepSession(async (seconds) => {
    const opened = await openUploadSession(context, seconds)
    if (opened === undefined)
      throw new StorageError('access-denied', 'the store opens no upload session any more', { backend: 's3' })
    return opened
  }, options.clock)
  const credentialsOf: Record<UploadSigner, (seconds: number) => Promise<S3Credentials>> = {
    session,
    uploadCredentials: dependencies.uploadCredentials ?? connection.credentials,
    credentials: connection.credentials,
  }

  let known: (UploadVerdict & { readonly settled: boolean }) | undefined
  let foundAt = 0
  let finding: Promise<UploadVerdict> | undefined
  let signing: { readonly signedBy: UploadSigner; readonly signUrl: Promise<SignUrl> } | undefined

  const find = (): Promise<UploadVerdict> => {
    finding ??= judge()
      .then((verdict) => {
        known = verdict
        foundAt = performance.now()
        return verdict
      })
      .finally(() => {
        finding = undefined
      })
    return finding
  }

  async function judge(): Promise<UploadVerdict & { readonly settled: boolean }> {
    let settled = true
    const bound = await dependencies.binds()
    const publicEndpoint = options.publicEndpoint ?? options.endpoint
    const through = async (signedBy: UploadSigner, endpoint: string | undefined): Promise<CopyProbe> => {
      try {
        const signUrl = await dependencies.signerFor(endpoint, credentialsOf[signedBy])
        return await probeCopying(context, { signUrl, bound })
      } catch (error) {
        // a registry that may only read serves pulls all the same
        if (!isStorageError(error)) throw error
        const copying = error.code === 'unavailable' ? 'unclear' : 'unusable'
        return { copying, answer: error.message, holdsBytes: false }
      }
    }

    const tryWith = async (signedBy: UploadSigner): Promise<Seen> => {
      const seen = await through(signedBy, publicEndpoint)
      const said = seen.copying !== 'unclear' && seen.copying !== 'unusable'
      if (said || publicEndpoint === options.endpoint) return { ...seen, signedBy, seenThrough: 'publicEndpoint' }
      // this server may not reach it, or not as clients do; what the store itself refuses, it
      // refuses behind any name
      const inside = await through(signedBy, options.endpoint)
      if (inside.copying === 'refused') return { ...inside, signedBy, seenThrough: 'endpoint' }
      return { ...seen, signedBy, seenThrough: 'publicEndpoint' }
    }

    const verdictOf = (seen: Seen, judged: { readonly bound: boolean }): UploadVerdict & { settled: boolean } => {
      const { signedBy, copying, answer, seenThrough } = seen
      const open = copying === 'unclear' || copying === 'unusable' || seenThrough === 'endpoint'
      const blocked = whyBlocked(seen)
      return { signedBy, copying, answer, seenThrough, bound: judged.bound, blocked, settled: settled && !open }
    }

    const limited = await limitedSigner().catch((error: unknown) => {
      // whether it gives sessions is asked again
      if (!isStorageError(error, 'unavailable')) throw error
      settled = false
      return undefined
    })
    if (limited !== undefined) {
      const seen = await tryWith(limited)
      // a session reads nothing whatever; what a key of the administrator reads (public objects,
      // say) nobody knows
      if (isHarmless(seen) && limited === 'session') return verdictOf(seen, { bound: canBind(seen) })
      if (limited === 'uploadCredentials') {
        const powerless = isHarmless(seen) && isHarmless(await tryWith('credentials'))
        return verdictOf(seen, { bound: powerless && canBind(seen) })
      }
      if (seen.copying === 'copied' || seen.copying === 'unclear') return verdictOf(seen, { bound: false })
    }
    const seen = await tryWith('credentials')
    return verdictOf(seen, { bound: isHarmless(seen) && canBind(seen) })
  }

  /** What may do less than our own credentials, where there is such a thing. */
  async function limitedSigner(): Promise<'session' | 'uploadCredentials' | undefined> {
    if (dependencies.uploadCredentials !== undefined) return 'uploadCredentials'
    // the registry of AWS's regions has its STS elsewhere, and AWS refuses headers that are not
    // signed
    if (options.endpoint === undefined) return undefined
    return session(TRIAL_SECONDS).then(
      () => 'session' as const,
      (error: unknown) => {
        if (isStorageError(error, 'access-denied')) return undefined
        throw error
      },
    )
  }

  return {
    get known() {
      return known
    },
    find: async () => {
      if (known === undefined) return find()
      if (!known.settled && performance.now() - foundAt > AGAIN_MS) {
        foundAt = performance.now()
        // whoever waits for a URL gets one by what is known
        find().catch(() => {})
      }
      return known
    },
    signer: async () => {
      const { signedBy } = known ?? (await find())
      if (signing?.signedBy !== signedBy) {
        const endpoint = options.publicEndpoint ?? options.endpoint
        const signUrl = dependencies.signerFor(endpoint, credentialsOf[signedBy])
        signUrl.catch(() => {
          signing = undefined
        })
        signing = { signedBy, signUrl }
      }
      return signing.signUrl
    },
  }
}

type Seen = CopyProbe & Pick<UploadVerdict, 'signedBy' | 'seenThrough'>

const isHarmless = ({ copying }: Pick<CopyProbe, 'copying'>): boolean => copying === 'refused' || copying === 'ignored'

const canBind = ({ holdsBytes, seenThrough }: Seen): boolean => holdsBytes && seenThrough === 'publicEndpoint'

function whyBlocked({ copying, answer }: Seen): string | undefined {
  switch (copying) {
    case 'refused':
    case 'ignored':
      return undefined
    case 'copied':
      return 'whoever holds an upload URL can make the store copy other objects in place of his bytes (x-amz-copy-source)'
    case 'unclear':
      return `whether an upload URL lets the store copy other objects could not be tried yet: ${answer}`
    case 'unusable':
      return `the store refuses upload URLs: ${answer}`
  }
}
