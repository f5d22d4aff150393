/** Says which known store answers, from its name and from what it did. Nothing depends on it. */
import type { S3Sighting } from 'sif-library/storage/s3'
import type { Finding } from './finding.js'

export async function findProfile(seen: S3Sighting): Promise<Finding> {
  // with its peers this entry is loaded already: there is an S3 storage
  const { fitS3Profile } = await import('sif-library/storage/s3')
  const { named, agrees, alike } = fitS3Profile(seen)
  const check = 'store profile'
  const does = seen.bindsPayload
    ? 'it holds URLs to the SHA-256 of their bytes'
    : 'it does not hold URLs to the SHA-256 of their bytes'
  if (named === undefined) {
    const name =
      seen.server === undefined ? 'it gives no name' : `it calls itself ${JSON.stringify(seen.server.slice(0, 60))}`
    return {
      check,
      state: 'ok',
      found: `${name}; ${does}, as ${alike.map((profile) => profile.name).join(' and ') || 'no store we tried'}`,
    }
  }
  if (agrees)
    return {
      check,
      state: 'ok',
      found: `${named.name}; ${does}${named.bindsPayload.known === undefined ? ', which nobody had tried' : ', as expected'}`,
    }
  return {
    check,
    state: 'warning',
    found: `${named.name}, but ${does}`,
    cause: 'another version than the one we tried, or a proxy that changes headers or bodies',
  }
}
