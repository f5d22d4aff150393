/**
 * The one table of options. Flags, environment variables, keys of the configuration file, its JSON
 * Schema and the table in the docs are all made from it.
 */
import { address, choice, count, duration, flag, type Kind, list, port, size, text, unixSocket, url } from './kinds.js'

/**
 * All options with their values: times in seconds, sizes in bytes. `undefined` = not set, and there
 * is no default that is a value.
 */
export interface Settings {
  readonly config: string | undefined
  readonly data: string
  readonly storage: string | undefined
  readonly metadata: string | undefined
  readonly host: string
  readonly port: number
  readonly maxConnections: number | undefined
  readonly listen: string | undefined
  readonly publicUrl: string | undefined
  readonly tlsCert: string | undefined
  readonly tlsKey: string | undefined
  readonly secretFile: string | undefined
  readonly transfer: 'auto' | 'proxy'
  readonly noMultipart: boolean
  readonly defaultPrivate: boolean
  readonly requireSif: boolean
  readonly acceptStorage: boolean
  readonly maxImageSize: number | undefined
  readonly maxEntitySize: number | undefined
  readonly maxPrincipalUploads: number
  readonly maxImageUploads: number
  readonly maxPendingImages: number
  readonly maxEntityRecords: number
  readonly maxContainerTags: number
  readonly activityDays: number
  readonly partSize: number
  readonly defaultEntity: string
  readonly defaultCollection: string
  readonly keyserver: string | undefined
  readonly tokenPage: string | undefined
  readonly noUi: boolean
  readonly uiTitle: string | undefined
  readonly grace: number
  readonly uploadTime: number
  readonly pullTime: number
  readonly noSweep: boolean
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  readonly logFormat: 'json' | 'pretty' | undefined
  readonly json: boolean
  readonly admin: boolean
  readonly noAdmin: boolean
  readonly group: readonly string[]
  readonly takeOver: boolean
  readonly removeGroup: readonly string[]
  readonly role: 'reader' | 'writer' | 'maintainer' | undefined
  readonly user: string | undefined
  readonly label: string | undefined
  readonly scope: readonly string[]
  readonly expires: number | undefined
  readonly url: string | undefined
  readonly tokenFile: string | undefined
  readonly csv: boolean
  readonly limit: number
  readonly yes: boolean
  readonly write: boolean
  readonly create: boolean
  readonly withToken: boolean
  readonly dryRun: boolean
  readonly hideMissing: boolean
  readonly recheck: boolean
  readonly prune: boolean
  readonly concurrency: number
  readonly explain: string | undefined
  readonly all: boolean
  readonly arch: string | undefined
  readonly again: boolean
  readonly checkPublicUrl: boolean
  readonly rate: number | undefined
  readonly after: string | undefined
  /**
   * No option, since a secret is neither an argument nor a key of a file: the key that signs upload
   * URLs, from the environment.
   */
  readonly uploadKey?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined
}

export type OptionKey = Exclude<keyof Settings, 'uploadKey'>

export interface Option<T> {
  readonly kind: Kind<NonNullable<T>>
  readonly help: string
  /** The value where nothing else says one. */
  readonly fallback: T
  /** The default as people read it, where there is one. */
  readonly shown?: string
}

type OptionTable = { readonly [K in OptionKey]: Option<Settings[K]> }

/** An option without a default. */
const optional = <T extends {}>(kind: Kind<T>, help: string, shown?: string): Option<T | undefined> => ({
  kind,
  help,
  fallback: undefined,
  ...(shown === undefined ? {} : { shown }),
})

const switchedOff = (help: string): Option<boolean> => ({ kind: flag(), help, fallback: false })

/** A kind with a default, which is written as on the command line. */
const withDefault = <T extends {}>(kind: Kind<T>, help: string, shown: string): Option<T> => ({
  kind,
  help,
  fallback: kind.read(shown),
  shown,
})

export const optionTable: OptionTable = {
  config: optional(
    text('FILE'),
    'configuration file, JSON or YAML; its keys are the option names without the dashes in front',
  ),
  data: withDefault(text('DIR'), 'data folder: registry.db, blobs/, secret, admin-token', './sif-library-data'),
  storage: optional(
    text('URL'),
    'where the bytes lie: filesystem:DIR or s3://BUCKET[/PREFIX][?endpoint=URL&…]',
    'filesystem:DATA/blobs',
  ),
  metadata: optional(text('URL'), 'where the records lie: sqlite:FILE or postgres://…', 'sqlite:DATA/registry.db'),
  host: withDefault(address(), 'address to listen on; 0.0.0.0 or :: for all', '127.0.0.1'),
  port: withDefault(port(), 'port to listen on; 0 for a free one', '8080'),
  maxConnections: optional(
    count(),
    'connections at once; at the limit idle ones make room, and health checks are still answered',
    'a third of the files that the process may open, less some for itself; at most 16384',
  ),
  listen: optional(
    unixSocket(),
    'listen on a socket instead of host and port, for a proxy on this machine; its mode is 0660, and --public-url is needed',
  ),
  publicUrl: optional(url(), 'where clients reach the server; may have a path', 'the address listened on'),
  tlsCert: optional(text('FILE'), 'certificate chain, PEM; makes the server speak https. Read again on SIGHUP'),
  tlsKey: optional(text('FILE'), 'private key of the certificate, PEM'),
  secretFile: optional(
    text('FILE'),
    'file with the secret that signs transfer URLs; SIF_LIBRARY_SECRET wins over it',
    'DATA/secret',
  ),
  transfer: withDefault(
    choice(['auto', 'proxy']),
    'proxy: all image bytes pass through this server, also where the storage could hand out URLs of its own',
    'auto',
  ),
  noMultipart: switchedOff('refuse uploads in parts; clients then send one PUT'),
  defaultPrivate: switchedOff('new entities start private'),
  requireSif: switchedOff('refuse what is no SIF file, or a damaged one'),
  acceptStorage: switchedOff(
    'take this storage for that of the registry: its bytes are lost, or lie there already (copy-storage brings them along)',
  ),
  maxImageSize: optional(size({ positive: true }), 'largest image', '5TiB, or what the storage takes'),
  maxEntitySize: optional(size(), 'quota of entities that have none of their own', 'unlimited'),
  maxPrincipalUploads: withDefault(count(), 'uploads that one user may have under way', '1000'),
  maxImageUploads: withDefault(count(), 'uploads of one image under way', '100'),
  maxPendingImages: withDefault(count(), 'images that one user has made and never uploaded', '1000'),
  maxEntityRecords: withDefault(count(), 'collections, containers and images of one entity together', '250000'),
  maxContainerTags: withDefault(count(), 'tags of one container, of all architectures together', '10000'),
  activityDays: withDefault(count(), 'days that events, and pulls by day of containers and images, are kept', '400'),
  partSize: withDefault(
    size({ positive: true }),
    'size of the parts of an upload; larger where the storage or 10,000 parts ask for it',
    '64MiB',
  ),
  defaultEntity: withDefault(text('NAME'), 'entity of references that name none', 'library'),
  defaultCollection: withDefault(text('NAME'), 'collection of references that name none', 'default'),
  keyserver: optional(url(), 'keyserver that clients are told of', 'none: clients warn and go on'),
  tokenPage: optional(url(), 'page where a user gets a token; remote login prints a link that leads there'),
  noUi: switchedOff('do not serve the web page'),
  uiTitle: optional(text('TEXT'), 'name of the registry on its web page', 'Image library'),
  grace: withDefault(duration(), 'how long a blob stays that no image refers to', '24h'),
  uploadTime: withDefault(
    duration({ positive: true }),
    'when an unfinished upload without a sign of life counts as stale',
    '24h',
  ),
  pullTime: withDefault(
    duration({ positive: true }),
    'how long a pull URL lives, and a second more for each 256 KiB of the image; a day at the most',
    '1h',
  ),
  noSweep: switchedOff('do not sweep every hour'),
  logLevel: withDefault(choice(['debug', 'info', 'warn', 'error', 'silent']), 'what goes to the log on stderr', 'info'),
  logFormat: optional(choice(['json', 'pretty']), 'form of the log', 'pretty on a terminal, otherwise json'),
  json: switchedOff('print JSON for programs'),
  admin: switchedOff('the user may do everything'),
  noAdmin: switchedOff('the user may do no more than other users'),
  group: { kind: list('NAME'), help: 'entity that the user may push to beside their own; repeatable', fallback: [] },
  takeOver: switchedOff(
    'the user gets what is there under the name, and may push to groups that are the names of users',
  ),
  removeGroup: { kind: list('NAME'), help: 'entity that the user may push to no more; repeatable', fallback: [] },
  role: optional(
    choice(['reader', 'writer', 'maintainer']),
    'reader: sees what is private; writer: pushes too; maintainer: deletes and manages too',
  ),
  user: optional(text('NAME'), 'name of the user'),
  label: optional(text('TEXT'), 'what the token is for, for people'),
  scope: {
    kind: list('ACTION[:PATH]'),
    help: 'what the token is good for: pull, push, delete, manage or admin, everywhere or below a path such as push:alice/tools; repeatable',
    fallback: [],
    shown: 'all that the user may do',
  },
  expires: optional(duration(), 'how long the token works', 'until it is revoked'),
  url: optional(
    url(),
    'URL of the registry',
    'remote: its public URL, or where serve on this data folder listens; list, usage, activity, tag, untag, delete and quota: this data folder',
  ),
  tokenFile: optional(text('FILE'), 'file with an access token, for the registry that --url names'),
  csv: switchedOff('print CSV for spreadsheets'),
  limit: withDefault(count(), 'rows at the most', '1000'),
  yes: switchedOff('do it; without it, only what would go is said'),
  write: switchedOff('merge the entry into ~/.singularity/remote.yaml and ~/.apptainer/remote.yaml and make it active'),
  create: switchedOff('make it, and what it lies in, where it is not there yet'),
  hideMissing: switchedOff(
    'hide images without bytes also where a storage was accepted that has those of none: they are lost',
  ),
  recheck: switchedOff('read also what the target has already, and compare its SHA-256'),
  prune: switchedOff(
    'delete sidecars of the target that the source no longer has: of what was deleted after an earlier copy',
  ),
  concurrency: withDefault(count(256), 'objects that are copied at the same time', '4'),
  withToken: switchedOff(
    'make a token for the printed entry; it takes the place of the one that was made with the same label',
  ),
  dryRun: switchedOff('change nothing, only say what would be done and why'),
  explain: optional(
    text('KEY'),
    'say why one blob stays, or when it goes, and change nothing; a storage key, or an upload id, image id or hash',
  ),
  checkPublicUrl: switchedOff('ask the public URL for its discovery file'),
  all: switchedOff(
    'verify: every image, otherwise those that are not proven yet or were found damaged; inspect: every file that this version has not read yet; token revoke: every token of --user',
  ),
  arch: optional(text('ARCH'), 'the image of a tag for this architecture, such as arm64', 'amd64, else the only one'),
  again: switchedOff('with --all, also files that this version has read'),
  rate: optional(size({ positive: true }), 'bytes read per second at the most, such as 50MB', 'unlimited'),
  after: optional(text('ID'), 'go on after this image, which a verify that was stopped has named'),
}

export const optionKeys: readonly OptionKey[] = Object.keys(optionTable) as OptionKey[]

/**
 * `publicUrl` → `public-url`: the name of the flag (after `--`) and of the key in a configuration
 * file.
 */
export function optionName(key: OptionKey): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** `publicUrl` → `SIF_LIBRARY_PUBLIC_URL`. */
export function optionVariable(key: OptionKey): string {
  return `SIF_LIBRARY_${optionName(key).toUpperCase().replaceAll('-', '_')}`
}
