/**
 * The headers of the page: a strict policy without `unsafe-inline`, also where the host sets one of
 * its own.
 */

/** Of every answer below `ui/`. */
const always = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
} as const

/** `storeOrigin`: where the browser sends and fetches bytes itself. */
export function documentHeaders(options: {
  readonly storeOrigin: string | undefined
  readonly frameAncestors: readonly string[]
}): Readonly<Record<string, string>> {
  const { storeOrigin, frameAncestors } = options
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    `connect-src 'self'${storeOrigin === undefined ? '' : ` ${storeOrigin}`}`,
    "worker-src 'self'",
    "base-uri 'self'",
    "form-action 'self'",
    `frame-ancestors ${frameAncestors.join(' ')}`,
  ]
  return { ...always, 'content-security-policy': policy.join('; ') }
}

/**
 * A worker obeys the policy of its own script: there WebAssembly may be compiled, and nothing else.
 */
export function fileHeaders(worker: boolean): Readonly<Record<string, string>> {
  if (!worker) return always
  return { ...always, 'content-security-policy': "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'" }
}
