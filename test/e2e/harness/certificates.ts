import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runOk } from './run.js'

/** A certificate for 127.0.0.1 and localhost, of a CA of our own. The folder is one that MinIO takes as `--certs-dir`. */
export interface Certificates {
  readonly folder: string
  /** Paths of PEM files. */
  readonly ca: string
  readonly certificate: string
  readonly key: string
  readonly remove: () => Promise<void>
}

export function opensslMissing(): string | undefined {
  return spawnSync('openssl', ['version']).status === 0 ? undefined : 'openssl is not installed'
}

/** Needs openssl. */
export async function makeCertificates(): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), 'sif-library-certificates-'))
  const openssl = (...args: readonly string[]): Promise<string> => runOk('openssl', { args, cwd: folder })
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  await openssl('req', '-x509', ...fresh, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2', '-subj', '/CN=Test CA')
  await openssl('req', ...fresh, '-keyout', 'private.key', '-out', 'server.csr', '-subj', '/CN=localhost')
  await writeFile(join(folder, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
  const sign = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names']
  await openssl('x509', '-req', '-in', 'server.csr', '-out', 'public.crt', ...sign)
  return {
    folder,
    ca: join(folder, 'ca.crt'),
    certificate: join(folder, 'public.crt'),
    key: join(folder, 'private.key'),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
