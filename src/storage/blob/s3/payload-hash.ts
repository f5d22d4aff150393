import type { FinalizeRequestMiddleware, HttpRequest } from '@smithy/types'

interface CommandLike {
  readonly middlewareStack: { add(middleware: never, options: { step: 'build'; name: string; priority: 'low' }): void }
}

/**
 * Announces the SHA-256 of a streamed body to the signer, which cannot hash a stream and would send
 * `UNSIGNED-PAYLOAD`: the store then checks the bytes against it. Without a hash (undefined) the
 * payload is sent unsigned.
 */
export function withPayloadHash<T extends CommandLike>(command: T, sha256: string | undefined): T {
  const announce: FinalizeRequestMiddleware<object, object> = (next) => (args) => {
    ;(args.request as HttpRequest).headers['x-amz-content-sha256'] = sha256 ?? 'UNSIGNED-PAYLOAD'
    return next(args)
  }
  command.middlewareStack.add(announce as never, { step: 'build', name: 'announcePayloadHash', priority: 'low' })
  return command
}
