import { existsSync } from 'node:fs'
import type { MetadataStore } from 'sif-library/metadata'
import type { Command, CommandContext } from '../command.js'
import { dataFolder, loadSecret, readServerRecord } from '../data-folder.js'
import { checkLeftovers, checkStorage, failed } from '../doctor/bytes.js'
import { type Finding, type Findings, formatFinding } from '../doctor/finding.js'
import { checkImageBytes } from '../doctor/image-bytes.js'
import { checkCertificate, checkDataFolder, checkSecret } from '../doctor/machine.js'
import { checkPresigned } from '../doctor/presigned.js'
import { checkPublicUrl } from '../doctor/public-url.js'
import { checkMetadata } from '../doctor/records.js'
import { checkStorageMark } from '../doctor/storage-mark.js'
import { checkUploadUrls } from '../doctor/upload-urls.js'
import { UsageError, WorkError } from '../failure.js'
import type { Settings } from '../options/table.js'
import { printJson } from '../print.js'
import { openMetadata, openStorage, storageAuthority } from '../registry.js'
import { redact } from '../serve/log.js'

export const doctor: Command = {
  name: 'doctor',
  summary: 'prove configuration, metadata store and storage end to end; says what is wrong and what to change',
  options: ['publicUrl', 'checkPublicUrl', 'tlsCert', 'tlsKey', 'secretFile', 'uploadTime', 'json'],
  run: async ({ settings, args, terminal }) => {
    const findings: Finding[] = []
    for await (const found of examine({ settings, args, terminal })) {
      const finding = { ...found, found: redact(found.found) }
      findings.push(finding)
      if (!settings.json) for (const line of formatFinding(finding)) terminal.out(line)
    }
    const wrong = findings.filter(({ state }) => state === 'failed').length
    const warnings = findings.filter(({ state }) => state === 'warning').length
    if (settings.json) printJson(terminal, { ok: wrong === 0, findings })
    else
      terminal.out(
        wrong === 0
          ? `all is well${warnings === 0 ? '' : `, with ${warnings} warnings`}`
          : `${wrong} of ${findings.length} checks failed`,
      )
    return wrong === 0 ? 0 : 1
  },
}

/**
 * A store that does not answer is a finding within a minute, whatever step it is that hangs.
 * Seconds.
 */
const patience = { connectSeconds: 5, answerSeconds: 8, requestSeconds: 8, idleSeconds: 10, finishSeconds: 20 }

async function* examine({ settings, terminal }: CommandContext): Findings {
  const folder = dataFolder(settings)
  const { environment } = terminal
  // before anything else: a URL that makes no sense ends here
  const storage = await openStorage(settings, folder, { timeouts: patience })
  try {
    yield* checkDataFolder(folder, { settings, environment })
    yield* checkSecret(folder, { settings, environment })
    yield* checkCertificate(settings)
    const check = async function* (metadata: MetadataStore): Findings {
      yield* checkMetadata(metadata, await loadSecret(folder, { settings, environment, make: false }))
    }
    yield* withMetadata(settings, check)
    // a look must not make a folder that was only mistyped
    const isThere = settings.storage !== undefined || existsSync(folder.directory)
    if (isThere && (yield* checkStorage(storage))) {
      const belongs = async function* (metadata: MetadataStore): Findings {
        if (yield* checkStorageMark(storage, metadata)) yield* checkImageBytes(storage, metadata)
      }
      yield* withMetadata(settings, belongs, { quiet: true })
      const record = await readServerRecord(folder).catch(() => undefined)
      const publicUrl = settings.publicUrl ?? record?.publicUrl ?? record?.url
      yield* checkUploadUrls(storage)
      yield* checkPresigned(storage, { ca: await storageAuthority(settings), publicUrl })
      yield* checkLeftovers(storage, settings.uploadTime)
    }
  } finally {
    await storage.close?.()
  }

  if (!settings.checkPublicUrl) return
  const record = await readServerRecord(folder)
  const url = settings.publicUrl ?? record?.publicUrl ?? record?.url
  if (url === undefined)
    throw new UsageError(
      '--check-public-url: serve does not run on this data folder, so name the URL with --public-url',
    )
  yield* checkPublicUrl(url)
}

/** `quiet`: a store that does not answer was told of before. */
async function* withMetadata(
  settings: Settings,
  check: (metadata: MetadataStore) => Findings,
  { quiet = false } = {},
): Findings {
  try {
    const metadata = await openMetadata(settings)
    try {
      yield* check(metadata)
    } finally {
      await metadata.close()
    }
  } catch (error) {
    if (!(error instanceof WorkError)) throw error
    if (quiet) return
    // before the first start there is nothing to look at
    yield { ...failed('metadata store', error), state: 'warning' }
  }
}
