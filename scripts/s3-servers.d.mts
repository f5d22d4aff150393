export interface RunningS3Server {
  readonly name: string
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
  readonly port: number
  readonly directory: string
  readonly pid: number
  /** Ends the server by its own pid; `keep` leaves its data for another start. */
  stop(options?: { readonly keep?: boolean; readonly signal?: NodeJS.Signals }): Promise<void>
}

export interface StartS3Options {
  readonly directory?: string
  readonly port?: number
  readonly region?: string
}

export class S3ServerMissing extends Error {}
export type S3ServerName = 'minio' | 'mc' | 'versitygw' | 's3proxy' | 'ceph' | 'swift'
/** Makes sure that a server is on this machine and returns its program; throws S3ServerMissing. */
export function installS3Server(name: S3ServerName): Promise<string>
export function startMinio(
  options?: StartS3Options & { readonly certsDirectory?: string; readonly env?: Readonly<Record<string, string>> },
): Promise<RunningS3Server>
export function startVersitygw(options?: StartS3Options): Promise<RunningS3Server>
export function startS3Proxy(options?: Omit<StartS3Options, 'region'>): Promise<RunningS3Server>

/** One program of a server that is made of several. */
export interface S3Daemon {
  readonly name: string
  pid(): number | undefined
  isAlive(): boolean
  start(): void
  /** Default SIGTERM. Killed where it has not ended after `forceAfterMs` (5,000). */
  end(signal?: NodeJS.Signals, options?: { readonly forceAfterMs?: number }): Promise<void>
  /** Stops it in the middle of what it does (SIGSTOP): it takes connections and never answers. */
  pause(): void
  resume(): void
}

export interface S3Cluster<Part extends string> extends RunningS3Server {
  readonly daemons: Readonly<Record<Part, S3Daemon>>
  /** Waits until the gateway or proxy answers, after it was started again. */
  ready(): Promise<void>
  /** Ends all of it and removes its data. */
  stop(options?: { readonly signal?: NodeJS.Signals }): Promise<void>
}

export interface CephCluster extends S3Cluster<'gateway' | 'osd' | 'mon'> {
  /** Runs radosgw-admin on the cluster and returns what it prints. */
  admin(...args: readonly string[]): Promise<string>
}

/**
 * Ceph RGW; 13 seconds. `dnsName`: bucket names below this host name. `keep`: where its OSD has the bytes, in `memory` (default), which
 * a kill loses, or in a `file` (BlueStore), which outlives it.
 */
export function startCeph(options?: {
  readonly port?: number
  readonly dnsName?: string
  readonly keep?: 'memory' | 'file'
}): Promise<CephCluster>
/**
 * Swift with s3api; 2 to 14 seconds. `maxParts`: parts of an upload at the most (Swift's own default 1,000). `maxFileBytes`: bytes of one object that did not
 * come in parts, and of one copy (5 GiB).
 */
export function startSwift(options?: {
  readonly port?: number
  readonly region?: string
  readonly maxParts?: number
  readonly maxFileBytes?: number
}): Promise<S3Cluster<'proxy' | 'account' | 'container' | 'object' | 'memcached'>>
