import { type Library, type Logger, packageVersion } from 'sif-library'
import type { Command, CommandContext, Terminal } from '../command.js'
import {
  type DataFolder,
  dataFolder,
  isOpenToOthers,
  loadSecret,
  needsDataFolder,
  prepareDataFolder,
  type ServerRecord,
} from '../data-folder.js'
import { UsageError } from '../failure.js'
import { invocation, quote } from '../invocation.js'
import type { Settings } from '../options/table.js'
import { openLibrary } from '../registry.js'
import { type Address, defaultPublicUrl, isEverywhere, localUrl } from '../serve/addresses.js'
import { logEvents } from '../serve/event-log.js'
import { createAdmin, isFirstStart, nextLines } from '../serve/first-start.js'
import { createLogger } from '../serve/log.js'
import { recordFingerprint, signingSecret } from '../serve/secret-fingerprint.js'
import { claimServerRecord } from '../serve/server-record.js'
import { onHangup, untilStopped } from '../serve/signals.js'
import { createApp, createWebServer } from '../serve/web-server.js'
import { signInUrl } from '../sign-in-url.js'

export const serve: Command = {
  name: 'serve',
  summary: 'run the registry',
  options: [
    'host',
    'port',
    'maxConnections',
    'listen',
    'publicUrl',
    'tlsCert',
    'tlsKey',
    'secretFile',
    'transfer',
    'noMultipart',
    'defaultPrivate',
    'requireSif',
    'acceptStorage',
    'maxImageSize',
    'maxEntitySize',
    'maxPrincipalUploads',
    'maxImageUploads',
    'maxPendingImages',
    'maxEntityRecords',
    'maxContainerTags',
    'activityDays',
    'partSize',
    'defaultEntity',
    'defaultCollection',
    'keyserver',
    'tokenPage',
    'noUi',
    'uiTitle',
    'grace',
    'uploadTime',
    'pullTime',
    'noSweep',
    'logLevel',
    'logFormat',
  ],
  run: runServer,
}

async function runServer({ settings, terminal }: CommandContext): Promise<undefined> {
  const folder = dataFolder(settings)
  const logger = createLogger(settings, {
    isTerminal: process.stderr.isTTY,
    write: (text) => process.stderr.write(text),
  })
  process.once('exit', logger.flush)
  const keepsFiles = await prepareIfNeeded(folder, { settings, environment: terminal.environment })
  if (settings.listen !== undefined && settings.publicUrl === undefined)
    throw new UsageError('--listen: clients reach no socket, so say where they reach the proxy: --public-url')
  let address: Address = {
    scheme: settings.tlsCert === undefined ? 'http' : 'https',
    host: settings.host,
    port: settings.port,
    socket: settings.listen,
  }
  const secret = await loadSecret(folder, { settings, environment: terminal.environment })
  const publicUrl = settings.publicUrl ?? defaultPublicUrl(() => address)
  const { library, metadata } = await openLibrary(settings, {
    mayCreate: true,
    publicUrl,
    secret,
    logger,
    acceptStorage: settings.acceptStorage,
  })
  logEvents(library, logger)
  const stopped = untilStopped()
  try {
    const server = await createWebServer(settings, { app: createApp(library, settings.publicUrl), logger })
    await library.ready()
    const signsWith = await signingSecret(metadata, secret)
    if (signsWith !== undefined && !(await recordFingerprint(metadata, signsWith)))
      logger.warn(
        {},
        'the instance that started before signs with another secret: if it still runs, each refuses the transfer URLs of the other',
      )
    address = { ...address, port: await server.listen() }
    let releaseRecord: (() => Promise<void>) | undefined
    try {
      const running = { settings, terminal, folder, library, logger, address, keepsFiles }
      const isFirst = await welcome(running)
      if (keepsFiles) releaseRecord = await record(running)
      await announce(running, isFirst)
      logger.flush()
      onHangup(() => {
        server.reloadCertificate().then(
          () => logger.info({}, 'certificate read again'),
          (error: unknown) =>
            logger.error({ err: error }, 'the certificate could not be read again; the old one stays'),
        )
      })
      const stopUpkeep = library.startUpkeep({ sweep: settings.noSweep ? false : { graceSeconds: settings.grace } })
      const signal = await stopped
      logger.info({ signal }, 'stopping: requests under way are finished first')
      stopUpkeep()
    } finally {
      await releaseRecord?.()
      await server.drain()
    }
  } finally {
    await library.close()
  }
  logger.info({}, 'stopped')
}

/** Whether files can be kept in the data folder. Throws WorkError where some must be and cannot. */
async function prepareIfNeeded(folder: DataFolder, options: Parameters<typeof needsDataFolder>[0]): Promise<boolean> {
  try {
    await prepareDataFolder(folder)
    return true
  } catch (error) {
    if (needsDataFolder(options)) throw error
    return false
  }
}

interface Running {
  readonly settings: Settings
  readonly terminal: Terminal
  readonly folder: DataFolder
  readonly library: Library
  readonly logger: Logger
  readonly address: Address
  /** Files can be kept in the data folder. */
  readonly keepsFiles: boolean
}

/** On the first start makes the admin; true when it did. */
async function welcome({ folder, library, logger, keepsFiles }: Running): Promise<boolean> {
  if (keepsFiles) return createAdmin(library.accounts, folder)
  logger.info({ data: folder.directory }, 'the data folder is not writable, and nothing that lasts needs it')
  if (await isFirstStart(library.accounts))
    logger.warn(
      {},
      'there is no user yet, and no place for the token of an admin: type "sif-library user add admin --admin" and "sif-library token create --user admin"',
    )
  return false
}

/**
 * Says to `remote`, `health` and `doctor` where the server is; the returned function takes it back.
 */
async function record({ settings, folder, logger, address }: Running): Promise<() => Promise<void>> {
  const { other, release } = await claimServerRecord(folder, serverRecord(localUrl(address), settings))
  if (other !== undefined)
    logger.warn(
      { pid: other.pid, url: other.url },
      'another server runs on this data folder: server.json goes on to tell of that one',
    )
  return release
}

/** Says on stdout and to the log where the server is. */
async function announce(running: Running, isFirst: boolean): Promise<void> {
  const { settings, terminal, folder, library, logger, address, keepsFiles } = running
  const url = localUrl(address)
  terminal.out(`listening on ${url}`)
  if (isFirst) {
    // to stdout alone: it is as good as a token
    const { code } = await library.accounts.createSignInCode('admin')
    for (const line of linesToType(folder, { settings, url, code })) terminal.out(line)
  }
  logger.info({ version: packageVersion, data: folder.directory, node: process.version }, 'listening')
  if (keepsFiles && (await isOpenToOthers(folder)))
    logger.warn(
      { data: folder.directory },
      'other users of this machine may look into the data folder: chmod 700 keeps them out',
    )
  if (settings.publicUrl === undefined && isEverywhere(address.host))
    logger.warn(
      { host: address.host },
      'listening on all addresses: clients are sent to the Host that they ask for; set --public-url',
    )
}

function serverRecord(url: string, { publicUrl }: Settings): ServerRecord {
  return { url, publicUrl: publicUrl ?? null, pid: process.pid, startedAt: new Date().toISOString() }
}

/**
 * The command lines carry the options that find this registry, made absolute: they may be typed
 * anywhere.
 */
function linesToType(
  folder: DataFolder,
  { settings, url, code }: { readonly settings: Settings; readonly url: string; readonly code: string },
): readonly string[] {
  const call = invocation({ script: process.argv[1] ?? '', path: process.env.PATH ?? '', cwd: process.cwd() })
  const options = [
    ...(settings.config === undefined ? [] : ['--config', quote(settings.config)]),
    '--data',
    quote(folder.directory),
    // a PostgreSQL URL may carry a password, which belongs on no screen
    ...(settings.metadata?.startsWith('sqlite:') === true ? ['--metadata', quote(settings.metadata)] : []),
  ].join(' ')
  return nextLines({
    url: settings.publicUrl ?? url,
    signIn: signInUrl(settings.publicUrl ?? url, code),
    tokenFile: folder.adminToken,
    command: (words) => `${call} ${words} ${options}`,
  })
}
