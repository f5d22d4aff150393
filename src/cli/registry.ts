/** Opens storage, metadata and the registry that the settings name. */
import { existsSync } from 'node:fs'
import {
  type Accounts,
  createAccounts,
  createLibrary,
  type Library,
  type LibraryOptions,
  type Logger,
} from 'sif-library'
import { libraryApi } from 'sif-library/api'
import type { MetadataStore } from 'sif-library/metadata'
import { sqliteMetadata } from 'sif-library/metadata/sqlite'
import type { StorageBackend } from 'sif-library/storage'
import { filesystemStorage } from 'sif-library/storage/filesystem'
import type { S3Timeouts } from 'sif-library/storage/s3'
import { libraryUi } from 'sif-library/ui'
import { operatorEvents, recordEvent } from './command-log.js'
import { type DataFolder, dataFolder, requireRegistry } from './data-folder.js'
import { UsageError, WorkError } from './failure.js'
import { requirePackages } from './optional-packages.js'
import type { Settings } from './options/table.js'

/** `mayCreate`: only `serve` founds a registry. */
export async function openMetadata(
  settings: Settings,
  { mayCreate = false }: { readonly mayCreate?: boolean } = {},
): Promise<MetadataStore> {
  const { metadata: url } = settings
  requirePackages(settings)
  const folder = dataFolder(settings)
  if (url === undefined) {
    if (!mayCreate) requireRegistry(folder)
    return sqliteMetadata({ file: folder.registryFile })
  }
  if (url.startsWith('sqlite:') && url.length > 'sqlite:'.length) {
    const file = url.slice('sqlite:'.length)
    if (!mayCreate && !existsSync(file))
      throw new WorkError(`there is no registry in ${file}: is --metadata that of serve?`)
    return sqliteMetadata({ file })
  }
  if (/^postgres(ql)?:\/\//.test(url)) {
    const { postgresMetadata } = await import('sif-library/metadata/postgres')
    return postgresMetadata({ url })
  }
  // the URL is not repeated: it may carry a password
  throw new UsageError('metadata: expected sqlite:FILE or postgres://USER@HOST/DATABASE')
}

/**
 * `logger` is told of each call to an S3 store, at level debug. `timeouts`: other ones than a
 * server has for an S3 store.
 */
export async function openStorage(
  settings: Settings,
  folder: DataFolder,
  { logger, timeouts }: { readonly logger?: Logger | undefined; readonly timeouts?: S3Timeouts } = {},
): Promise<StorageBackend> {
  const { storage: url } = settings
  requirePackages(settings)
  if (url === undefined) return filesystemStorage({ directory: folder.blobs })
  if (url.startsWith('filesystem:') && url.length > 'filesystem:'.length)
    return filesystemStorage({ directory: url.slice('filesystem:'.length) })
  if (url.startsWith('s3:')) {
    const { s3OptionsFromUrl, s3Storage } = await import('sif-library/storage/s3')
    return s3Storage({
      ...s3OptionsFromUrl(url),
      ...(settings.uploadKey === undefined ? {} : { uploadCredentials: settings.uploadKey }),
      ...(timeouts === undefined ? {} : { timeouts }),
      ...(logger?.isLevelEnabled?.('debug') === true && { log: (entry) => logger.debug(entry, 's3') }),
    })
  }
  throw new UsageError('storage: expected filesystem:DIR or s3://BUCKET[/PREFIX][?endpoint=URL&…]')
}

/** PEM of the authority that an S3 storage URL names for the certificate of the store. */
export async function storageAuthority({ storage }: Settings): Promise<string | Uint8Array | undefined> {
  if (storage?.startsWith('s3:') !== true) return undefined
  const { s3OptionsFromUrl } = await import('sif-library/storage/s3')
  return s3OptionsFromUrl(storage).ca
}

/** Runs with the accounts alone: the storage is not touched. */
export async function withAccounts<T>(settings: Settings, work: (accounts: Accounts) => Promise<T>): Promise<T> {
  const metadata = await openMetadata(settings)
  try {
    return await work(
      createAccounts({
        metadata,
        defaultEntity: settings.defaultEntity,
        emit: (name, facts) => recordEvent(settings, name, facts),
      }),
    )
  } finally {
    await metadata.close()
  }
}

type Given = Pick<LibraryOptions, 'publicUrl' | 'secret' | 'logger' | 'acceptStorage'>

/** The registry as `serve` runs it. */
export async function openLibrary(
  settings: Settings,
  {
    mayCreate,
    metadata: opened,
    acceptStorage = false,
    ...given
  }: Given & { readonly mayCreate: boolean; readonly metadata?: MetadataStore },
): Promise<{ readonly library: Library; readonly metadata: MetadataStore; readonly storage: StorageBackend }> {
  const storage = await openStorage(settings, dataFolder(settings), { logger: given.logger })
  const metadata = opened ?? (await openMetadata(settings, { mayCreate }))
  const { maxImageSize, maxEntitySize, keyserver, tokenPage, uiTitle } = settings
  const library = createLibrary({
    ...given,
    storage,
    metadata,
    transfer: settings.transfer,
    multipart: !settings.noMultipart,
    defaultPrivate: settings.defaultPrivate,
    requireSif: settings.requireSif,
    acceptStorage,
    defaultEntity: settings.defaultEntity,
    defaultCollection: settings.defaultCollection,
    ...(keyserver === undefined ? {} : { keyserver }),
    ...(tokenPage === undefined ? {} : { tokenPage }),
    extensions: [libraryApi(), ...(settings.noUi ? [] : [libraryUi(uiTitle === undefined ? {} : { title: uiTitle })])],
    limits: {
      uploadSeconds: settings.uploadTime,
      pullSeconds: settings.pullTime,
      partBytes: settings.partSize,
      maxPrincipalUploads: settings.maxPrincipalUploads,
      maxImageUploads: settings.maxImageUploads,
      maxPendingImages: settings.maxPendingImages,
      maxEntityRecords: settings.maxEntityRecords,
      maxContainerTags: settings.maxContainerTags,
      activityDays: settings.activityDays,
      ...(maxImageSize === undefined ? {} : { maxImageBytes: maxImageSize }),
      ...(maxEntitySize === undefined ? {} : { maxEntityBytes: maxEntitySize }),
    },
  })
  return { library, metadata, storage }
}

/**
 * For commands that do one piece of work on the registry beside a running server. `metadata`:
 * another one than the settings name.
 */
export async function withLibrary<T>(
  settings: Settings,
  work: (library: Library) => Promise<T>,
  { metadata }: { readonly metadata?: MetadataStore } = {},
): Promise<T> {
  // no URL is made by such work
  const given = { mayCreate: false, publicUrl: settings.publicUrl ?? 'http://localhost' }
  const { library } = await openLibrary(settings, { ...given, ...(metadata === undefined ? {} : { metadata }) })
  for (const name of operatorEvents)
    library.on(name, ({ at: _, ...facts }: { readonly at: number }) => recordEvent(settings, name, facts))
  try {
    return await work(library)
  } finally {
    await library.close()
  }
}
