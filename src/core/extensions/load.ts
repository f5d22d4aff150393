/** Setting up the extensions of a registry, and joining their parts with those of the core. */
import type { BlobKeeper } from '../blobs/why-kept.js'
import type { ExtensionHost, ExtensionParts, LibraryExtension } from '../extension.js'
import type { LibraryOptions } from '../options.js'
import type { RouteRow } from '../route.js'
import type { Settings } from '../settings.js'
import type { Job } from '../upkeep/jobs.js'

/** An extension that was set up. */
export interface LoadedExtension {
  readonly name: string
  readonly parts: ExtensionParts
}

const namePattern = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/
/** The core's own rows, documents and jobs begin with these. */
const reserved = ['core', 'library', 'sif-library']
const partNames: Readonly<Record<keyof ExtensionParts, true>> = {
  routes: true,
  authenticate: true,
  renderError: true,
  hooks: true,
  on: true,
  keeps: true,
  pages: true,
  jobs: true,
  ready: true,
  close: true,
}

function checkParts(name: string, parts: ExtensionParts): void {
  for (const part of Object.keys(parts))
    if (!Object.hasOwn(partNames, part))
      throw new TypeError(
        `the extension ${name} has an unknown part ${part}: there are ${Object.keys(partNames).join(', ')}`,
      )
  for (const row of parts.routes ?? [])
    if (!row.name.startsWith(`${name}.`))
      throw new TypeError(`the route ${row.name} of the extension ${name} must be called ${name}.…`)
  const jobs = new Set<string>()
  for (const { name: job, everySeconds } of parts.jobs ?? []) {
    if (jobs.has(job)) throw new TypeError(`the extension ${name} has two jobs called ${job}`)
    jobs.add(job)
    if (!(everySeconds >= 1 && everySeconds <= 86_400))
      throw new TypeError(`the job ${job} of the extension ${name} runs every ${everySeconds} seconds: 1 to 86,400`)
  }
}

/**
 * Calls `setup` of each, in order. Throws TypeError for a bad or repeated name, and for parts that
 * cannot work.
 */
export function loadExtensions(
  extensions: readonly LibraryExtension[],
  hostOf: (name: string) => ExtensionHost,
): readonly LoadedExtension[] {
  const names = new Set<string>()
  return extensions.map((extension) => {
    const { name } = extension
    if (typeof name !== 'string' || !namePattern.test(name) || reserved.includes(name))
      throw new TypeError(`extensions: ${JSON.stringify(name)} is no name for an extension: it must be in kebab case`)
    if (names.has(name)) throw new TypeError(`extensions: there are two called ${name}`)
    names.add(name)
    const parts = extension.setup(hostOf(name))
    checkParts(name, parts)
    return { name, parts }
  })
}

/** The rows of all extensions; each knows the parts of its own that the pipeline asks. */
export function routesOf(extensions: readonly LoadedExtension[]): readonly RouteRow[] {
  return extensions.flatMap(({ parts: { routes = [], authenticate, renderError } }) =>
    routes.map((row) => ({ ...row, owner: { authenticate, renderError } })),
  )
}

/**
 * The pages that clients are told of: those of the host's options, otherwise of the first extension
 * that has them.
 */
export function pagesOf(
  options: Pick<LibraryOptions, 'tokenPage' | 'containerUrl'>,
  extensions: readonly LoadedExtension[],
): Partial<Pick<Settings, 'tokenPage' | 'containerUrl'>> {
  const tokens = extensions.map(({ parts }) => parts.pages?.tokens).find((page) => page !== undefined)
  const container = extensions.map(({ parts }) => parts.pages?.container).find((page) => page !== undefined)
  return {
    // relative to `auth/tokens`, which redirects there
    ...(options.tokenPage === undefined && tokens !== undefined && { tokenPage: `../${tokens}` }),
    ...(options.containerUrl === undefined && container !== undefined && { containerUrl: container }),
  }
}

export function keepersOf(extensions: readonly LoadedExtension[]): readonly BlobKeeper[] {
  return extensions.flatMap(({ name, parts: { keeps } }) =>
    keeps === undefined ? [] : [{ name, keeps: (blobKey) => keeps(blobKey) }],
  )
}

export function jobsOf(extensions: readonly LoadedExtension[]): readonly Job[] {
  return extensions.flatMap(({ name, parts: { jobs = [] } }) =>
    jobs.map((job) => ({
      name: `${name}.${job.name}`,
      everySeconds: job.everySeconds,
      run: (signal) => job.run(signal),
    })),
  )
}
