import type { ServiceInputTypes, ServiceOutputTypes } from '@aws-sdk/client-s3'
import type { DeserializeMiddleware } from '@smithy/types'
import { canonicalRequest, type SignedRequest } from './canonical-request.js'
import { factsOf } from './errors.js'

/**
 * Canonical requests by the error that the store answered them with; kept beside the error, which
 * is not ours to change.
 */
const refusals = new WeakMap<object, string>()

/** For the SDK's step `deserialize`, outermost: there the request is as it was signed and sent. */
export const rememberRefusal: DeserializeMiddleware<ServiceInputTypes, ServiceOutputTypes> = (next) => async (args) => {
  try {
    return await next(args)
  } catch (error) {
    const { code, status } = factsOf(error)
    const request = args.request as SignedRequest
    // the answer to a HEAD carries no code
    const refused = code === 'SignatureDoesNotMatch' || (status === 403 && request.method === 'HEAD')
    const canonical = refused ? canonicalRequest(request) : undefined
    if (canonical !== undefined) refusals.set(Object(error), canonical)
    throw error
  }
}

/** What was signed for a call whose signature the store refused. */
export function refusedRequest(error: unknown): string | undefined {
  return refusals.get(Object(error))
}
