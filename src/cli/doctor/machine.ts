/** Checks of this machine: data folder, secret, certificate. */
import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { type DataFolder, isOpenToOthers, needsDataFolder, prepareDataFolder, readOwnFile } from '../data-folder.js'
import { systemCode, systemReason } from '../failure.js'
import { quote } from '../invocation.js'
import { type Environment, secretVariable } from '../options/resolve.js'
import type { Settings } from '../options/table.js'
import type { Findings } from './finding.js'

const shortSecret = 32
const soonDays = 21

export async function* checkDataFolder(
  folder: DataFolder,
  options: { readonly settings: Settings; readonly environment: Environment },
): Findings {
  const check = `data folder ${folder.directory}`
  if (!needsDataFolder(options)) {
    yield { check, state: 'ok', found: 'nothing that lasts needs it: storage, records and secret lie elsewhere' }
    return
  }
  try {
    await stat(folder.directory)
  } catch (error) {
    yield systemCode(error) === 'ENOENT'
      ? {
          check,
          state: 'warning',
          found: 'does not exist yet',
          fix: 'the first start of serve makes it; where there should be one, --data names another',
        }
      : { check, state: 'failed', found: systemReason(error), fix: 'run it as the user of serve, or --data' }
    return
  }
  try {
    await prepareDataFolder(folder)
  } catch (error) {
    yield {
      check,
      state: 'failed',
      found: error instanceof Error ? error.message : String(error),
      fix: `chown it to the user that runs serve, or --data`,
    }
    return
  }
  if (await isOpenToOthers(folder)) {
    yield {
      check,
      state: 'failed',
      found: 'writable, but other users of this machine may look into it',
      fix: `chmod 700 ${quote(folder.directory)}`,
    }
    return
  }
  yield { check, state: 'ok', found: 'writable and private' }
}

export async function* checkSecret(
  folder: DataFolder,
  { settings, environment }: { readonly settings: Settings; readonly environment: Environment },
): Findings {
  const given = environment[secretVariable]
  if (given !== undefined && given !== '') {
    yield lengthFinding(`secret in ${secretVariable}`, given)
    return
  }
  const file = settings.secretFile ?? folder.secretFile
  const check = `secret in ${file}`
  if (settings.secretFile === undefined && !existsSync(file)) {
    const inStore = settings.metadata?.startsWith('postgres') === true
    yield {
      check,
      state: 'ok',
      found: inStore
        ? 'none: the registry keeps one in PostgreSQL for all instances'
        : 'none yet: the first start of serve makes one',
    }
    return
  }
  try {
    const secret = await (settings.secretFile === undefined ? readOwnFile(file) : readFile(file, 'utf8'))
    yield lengthFinding(check, secret.trim())
    if (((await stat(file)).mode & 0o077) !== 0)
      yield {
        check,
        state: 'failed',
        found: 'other users of this machine may read it',
        fix: `chmod 600 ${quote(file)}`,
      }
  } catch (error) {
    yield { check, state: 'failed', found: systemReason(error), fix: `--secret-file, or ${secretVariable}` }
  }
}

function lengthFinding(check: string, secret: string) {
  return secret.length >= shortSecret
    ? ({ check, state: 'ok', found: 'present' } as const)
    : ({
        check,
        state: 'failed',
        found: `only ${secret.length} characters: it can be guessed`,
        fix: `at least ${shortSecret} random ones: openssl rand -base64 32`,
      } as const)
}

export async function* checkCertificate({ tlsCert }: Settings): Findings {
  if (tlsCert === undefined) return
  const check = `certificate ${tlsCert}`
  try {
    const { validTo, subjectAltName } = new X509Certificate(await readFile(tlsCert))
    const days = Math.floor((Date.parse(validTo) - Date.now()) / 86_400_000)
    const found = `valid until ${validTo}, for ${subjectAltName ?? 'no name'}`
    yield {
      check,
      state: days < 0 ? 'failed' : days < soonDays ? 'warning' : 'ok',
      found,
      ...(days < soonDays ? { fix: 'renew it, then send serve a SIGHUP' } : {}),
    }
  } catch (error) {
    yield { check, state: 'failed', found: systemReason(error), fix: '--tls-cert' }
  }
}
