/** Checks of the metadata store. */
import type { MetadataStore } from 'sif-library/metadata'
import { sameAsRecorded, signingSecret } from '../serve/secret-fingerprint.js'
import { codeOf, explain } from './explanations.js'
import type { Findings } from './finding.js'

/**
 * `secret`: what this machine was given to sign with; undefined where the metadata store keeps it.
 */
export async function* checkMetadata(metadata: MetadataStore, secret: string | undefined): Findings {
  const check = `metadata store (${metadata.name})`
  try {
    await metadata.ready()
  } catch (error) {
    const { cause } = explain(codeOf(error))
    yield {
      check,
      state: 'failed',
      found: error instanceof Error ? error.message : String(error),
      cause,
      fix: '--metadata',
    }
    return
  }
  const { ok, message } = await metadata.check()
  yield {
    check,
    state: ok ? 'ok' : 'failed',
    found: ok ? `${message}; the schema is the one of this version` : message,
    ...(ok ? {} : { fix: '--metadata' }),
  }
  if (!ok) return
  const signsWith = await signingSecret(metadata, secret)
  const same = signsWith === undefined ? undefined : await sameAsRecorded(metadata, signsWith)
  if (same === undefined) return
  yield same
    ? { check: 'secret of all instances', state: 'ok', found: 'the same as that of the instance that started last' }
    : {
        check: 'secret of all instances',
        state: 'failed',
        found: 'another one than that of the instance that started last',
        cause: 'each machine made a secret of its own: one refuses the transfer URLs of the other',
        fix: 'give all of them the same SIF_LIBRARY_SECRET or --secret-file, and start them again',
      }
}
