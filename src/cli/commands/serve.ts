import { type Library, type Logger, packageVersion } from 'sif-library'
import type { Command, CommandContext, Terminal } from '../command.js'
import {
  type DataFolder,
  dataFolder,
  isOpenToOthers,
  loadSecret,
  prepareDataFolder,
  type ServerRecord,
  writePrivateFile,
} from '../data-folder.js'
import { invocation, quote } from '../invocation.js'
import type { Settings } from '../options/table.js'
import { openLibrary } from '../registry.js'
import { type Address, defaultPublicUrl, isEverywhere, localUrl } from '../serve/addresses.js'
import { createAdmin, nextLines } from '../serve/first-start.js'
import { createLogger } from '../serve/log.js'
import { recordFingerprint, signingSecret } from '../serve/secret-fingerprint.js'
import { onHangup, untilStopped } from '../serve/signals.js'
import { createApp, createWebServer } from '../serve/web-server.js'
import { startUpkeep } from '../upkeep.js'

export const serve: Command = {
  name: 'serve',
  summary: 'run the registry',
  options: [
    'host',
    'port',
    'maxConnections',
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
    'partSize',
    'defaultEntity',
    'defaultCollection',
    'keyserver',
    'tokenPage',
    'grace',
    'uploadTime',
    'noSweep',
    'logLevel',
    'logFormat',
  ],
  run: runServer,
}

async function runServer({ settings, terminal }: CommandContext): Promise<undefined> {
  const folder = dataFolder(settings)
  await prepareDataFolder(folder)
  const logger = createLogger(settings, {
    isTerminal: process.stderr.isTTY,
    write: (text) => process.stderr.write(text),
  })
  let address: Address = {
    scheme: settings.tlsCert === undefined ? 'http' : 'https',
    host: settings.host,
    port: settings.port,
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
    try {
      await announce({ settings, terminal, folder, library, logger, address })
      onHangup(() => {
        server.reloadCertificate().then(
          () => logger.info({}, 'certificate read again'),
          (error: unknown) =>
            logger.error({ err: error }, 'the certificate could not be read again; the old one stays'),
        )
      })
      const stopUpkeep = startUpkeep(library, { graceSeconds: settings.noSweep ? undefined : settings.grace, logger })
      const signal = await stopped
      logger.info({ signal }, 'stopping: requests under way are finished first')
      stopUpkeep()
    } finally {
      await server.drain()
    }
  } finally {
    await library.close()
  }
  logger.info({}, 'stopped')
}

interface Running {
  readonly settings: Settings
  readonly terminal: Terminal
  readonly folder: DataFolder
  readonly library: Library
  readonly logger: Logger
  readonly address: Address
}

/** Says on stdout, to `remote` and to the log where the server is; on the first start makes the admin before. */
async function announce({ settings, terminal, folder, library, logger, address }: Running): Promise<void> {
  const url = localUrl(address)
  const isFirst = await createAdmin(library.accounts, folder)
  await writePrivateFile(folder.serverFile, `${JSON.stringify(serverRecord(url, settings), null, 2)}\n`)
  terminal.out(`listening on ${url}`)
  if (isFirst) for (const line of linesToType(folder, { settings, url })) terminal.out(line)
  logger.info({ version: packageVersion, data: folder.directory, node: process.version }, 'listening')
  if (await isOpenToOthers(folder))
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

/** The command lines carry the options that find this registry, made absolute: they may be typed anywhere. */
function linesToType(
  folder: DataFolder,
  { settings, url }: { readonly settings: Settings; readonly url: string },
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
    tokenFile: folder.adminToken,
    command: (words) => `${call} ${words} ${options}`,
  })
}
