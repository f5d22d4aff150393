/** Says which known store answers, from what it does and from its name. Nothing depends on it. */
import type { S3Fit, S3Sighting } from 'sif-library/storage/s3'
import type { Finding } from './finding.js'

const check = 'store profile'

export async function findProfile(seen: S3Sighting): Promise<Finding> {
  // with its peers this entry is loaded already: there is an S3 storage
  const { fitS3Profile } = await import('sif-library/storage/s3')
  const fit = fitS3Profile(seen)
  const { named, agrees } = fit
  const does = describeDoing(seen)
  if (named === undefined) {
    const alike = fit.alike.map((profile) => profile.name).join(' and ') || 'no store we tried'
    return { check, state: 'ok', found: `${describeName(seen)}; ${does}, as ${alike}` }
  }
  if (agrees) return { check, state: 'ok', found: `${named.name}${describeWay(fit, seen)}; ${does}${expected(fit)}` }
  return {
    check,
    state: 'warning',
    found: `${named.name}, but ${does}`,
    cause: 'another version than the one we tried, or a proxy that changes headers or bodies',
  }
}

const describeName = ({ server }: S3Sighting): string =>
  server === undefined ? 'it gives no name' : `it calls itself ${JSON.stringify(server.slice(0, 60))}`

const describeWay = ({ by }: S3Fit, seen: S3Sighting): string =>
  by === 'doing' ? `, by what it does (${describeName(seen)})` : ''

const expected = ({ named, by }: S3Fit): string => {
  if (named?.bindsPayload.known === undefined) return ', which nobody had tried'
  return by === 'doing' ? '' : ', as expected'
}

/** What matters to whoever runs the registry. */
function describeDoing({ bindsPayload, conditionalPut, takesLateParts, maxParts }: S3Sighting): string {
  return [
    `it ${bindsPayload ? 'holds' : 'does not hold'} URLs to the SHA-256 of their bytes`,
    ...(conditionalPut === false ? ['it takes no If-None-Match'] : []),
    ...(takesLateParts === true ? ['uploads are copied when they are complete'] : []),
    ...(maxParts !== undefined && maxParts < 10_000 ? [`at most ${maxParts} parts`] : []),
  ].join(', ')
}
