export interface FuzzServer {
  readonly url: string
  /** Asks the process: `token` (of a user, who is made), `state`, `sweep`. */
  ask(what: 'token', user: string): Promise<string>
  ask(what: 'sweep'): Promise<readonly string[]>
  ask(what: 'state'): Promise<{
    readonly rss: number
    readonly heapUsed: number
    readonly handles: number
    readonly errors: readonly string[]
  }>
  stop(): Promise<void>
}
export function startFuzzServer(): Promise<FuzzServer>
