/**
 * Lets instances find out that they sign with different secrets, without showing one to another.
 */
import { scryptSync } from 'node:crypto'
import type { MetadataStore } from 'sif-library/metadata'

const setting = 'secret-fingerprint'

// a slow hash: somebody who reads the database must not be able to try out weak secrets quickly
const fingerprintOf = (secret: string): string =>
  scryptSync(secret, 'sif-library secret fingerprint', 16).toString('hex')

/**
 * What this machine signs with: where it was given nothing, what the registry keeps in the metadata
 * store; undefined before its first start.
 */
export async function signingSecret(metadata: MetadataStore, given: string | undefined): Promise<string | undefined> {
  return given ?? (await metadata.settings.get('transfer-secret'))
}

/**
 * Whether the instance that started last has the same secret; undefined when none has started yet.
 */
export async function sameAsRecorded(metadata: MetadataStore, secret: string): Promise<boolean | undefined> {
  const recorded = await metadata.settings.get(setting)
  return recorded === undefined ? undefined : recorded === fingerprintOf(secret)
}

/**
 * Called by `serve`: the instance that started last says what counts. False when the one before it
 * had another secret.
 */
export async function recordFingerprint(metadata: MetadataStore, secret: string): Promise<boolean> {
  const same = await sameAsRecorded(metadata, secret)
  if (same !== true) await metadata.settings.set(setting, fingerprintOf(secret))
  return same !== false
}
