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
export function installS3Server(name: 'minio' | 'versitygw' | 's3proxy'): Promise<string>
export function startMinio(
  options?: StartS3Options & { readonly certsDirectory?: string; readonly env?: Readonly<Record<string, string>> },
): Promise<RunningS3Server>
export function startVersitygw(options?: StartS3Options): Promise<RunningS3Server>
export function startS3Proxy(options?: Omit<StartS3Options, 'region'>): Promise<RunningS3Server>
