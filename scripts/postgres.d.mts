export interface ThrowawayPostgres {
  /** Leads to its database, with the password. */
  readonly url: string
  /** Ends it and removes its folder. */
  stop(): Promise<void>
  /** Its first process, the parent of the others. */
  pid(): number | undefined
  /** Ends it (default SIGINT, in good order; SIGQUIT is a crash); {@link start} starts it again on the same port. */
  end(signal?: 'SIGINT' | 'SIGQUIT'): Promise<void>
  start(): Promise<void>
}

/** The folder of `initdb` and `postgres`; undefined when they are not installed. */
export function findPrograms(): string | undefined

/** Starts a server of its own in a temporary folder, as an unprivileged user; as root with apt-get it installs PostgreSQL where it is missing. */
export function startPostgres(): Promise<ThrowawayPostgres>
