export interface FuzzHttpResult {
  readonly requests: number
  readonly seed: number
  /** How often each status came. */
  readonly statuses: Readonly<Record<string, number>>
  readonly serverErrors: readonly { readonly request: string; readonly answer: string }[]
  readonly hangs: readonly { readonly request: string; readonly answer: string }[]
  readonly before: {
    readonly rss: number
    readonly heapUsed: number
    readonly handles: number
    readonly connections: number
  }
  readonly after: {
    readonly rss: number
    readonly heapUsed: number
    readonly handles: number
    readonly connections: number
  }
  /** Files in the storage after everything was swept. */
  readonly left: readonly string[]
  /** The image that was there before is whole, or was properly deleted. */
  readonly kept: boolean
}
export function fuzzHttp(options: {
  readonly requests: number
  readonly seed: number
  readonly log?: (line: string) => void
}): Promise<FuzzHttpResult>
