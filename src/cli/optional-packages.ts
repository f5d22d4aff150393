/**
 * Packages that an installation may lack: asked for all at once, before the first of them is
 * missed.
 */
import { systemCode, UsageError } from './failure.js'
import type { Settings } from './options/table.js'

const packagesOf = {
  s3: ['@aws-sdk/client-s3', '@smithy/signature-v4', '@smithy/protocol-http'],
  postgres: ['pg'],
} as const

const resolves = (name: string): boolean => {
  try {
    import.meta.resolve(name)
    return true
  } catch (error) {
    if (systemCode(error) === 'ERR_MODULE_NOT_FOUND') return false
    // it is there, with exports of another kind
    return true
  }
}

/**
 * Throws UsageError that names every package which storage and metadata of these settings need and
 * the installation lacks.
 */
export function requirePackages(
  { storage, metadata }: Pick<Settings, 'storage' | 'metadata'>,
  isInstalled: (name: string) => boolean = resolves,
): void {
  const needs = [
    ...(storage?.startsWith('s3:') === true ? [{ what: 'S3 storage', packages: packagesOf.s3 }] : []),
    ...(metadata?.startsWith('postgres') === true ? [{ what: 'PostgreSQL', packages: packagesOf.postgres }] : []),
  ]
    .map(({ what, packages }) => ({ what, missing: packages.filter((name) => !isInstalled(name)) }))
    .filter(({ missing }) => missing.length > 0)
  if (needs.length === 0) return
  const names = needs.flatMap(({ missing }) => missing)
  throw new UsageError(
    `${needs.map(({ what }) => what).join(' and ')} ${needs.length > 1 ? 'need' : 'needs'} ${names.length > 1 ? 'packages that are' : 'a package that is'} not installed beside sif-library: npm install ${names.join(' ')}`,
  )
}
