export interface DirectoryAccount {
  readonly dn: string
  readonly password: string
}

export interface ThrowawayDirectory {
  /** `ldap://127.0.0.1:PORT` */
  readonly url: string
  /** `ldaps://127.0.0.1:PORT`; there when a certificate was given. */
  readonly secureUrl: string | undefined
  readonly base: string
  /** May read people and groups. */
  readonly account: DirectoryAccount
  /** May do everything. */
  readonly admin: DirectoryAccount
  /** Holds its breath: connections are accepted by the kernel and get no answer. */
  pause(): void
  resume(): void
  /** Ends it (default SIGTERM; SIGKILL is a crash); {@link start} starts it again on the same ports. */
  end(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
  start(): Promise<void>
  /** Ends it and removes its folder. */
  stop(): Promise<void>
}

export interface SlapdOptions {
  /** The entries at the start; the first is the base. */
  readonly ldif: string
  /** PEM files. */
  readonly tls?: { readonly certificate: string; readonly key: string }
}

/** The program; undefined when it is not installed. */
export function findSlapd(): string | undefined

/** Starts a server of its own in a temporary folder, as an unprivileged user; as root with apt-get it installs slapd where it is missing. */
export function startSlapd(options: SlapdOptions): Promise<ThrowawayDirectory>
