import { expect, it } from 'vitest'
import { activityOf } from '../../../src/core/hooks/activity.js'

const alice = { id: '1', name: 'alice' }

it.each([
  [null, { id: null, name: null, via: 'anonymous', tokenId: null }],
  [alice, { ...alice, via: 'host', tokenId: null }],
  [
    { ...alice, credential: 'c' },
    { ...alice, via: 'token', tokenId: 'c' },
  ],
  [
    { ...alice, credential: 's', via: 'session' },
    { ...alice, via: 'session', tokenId: 's' },
  ],
] as const)('%j is told of as who they are, and by what they showed it', (principal, actor) => {
  expect(activityOf({ principal }).actor).toEqual(actor)
})
