// What the portal had before: its people, their groups and roles. In a real portal this is a database, or LDAP.
import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'

function person(name, password, { admin = false } = {}) {
  const salt = randomBytes(16)
  return { name, admin, salt, hash: scryptSync(password, salt, 32) }
}

const people = new Map([
  ['alice', person('alice', 'alice-password')],
  ['bob', person('bob', 'bob-password')],
  ['carol', person('carol', 'carol-password', { admin: true })],
])

/** Group → person → role. */
const groups = {
  genomics: { alice: 'maintainer', bob: 'reader' },
  imaging: { bob: 'writer' },
}

const roleActions = {
  reader: ['pull'],
  writer: ['pull', 'push'],
  maintainer: ['pull', 'push', 'delete'],
}

export const findPerson = (name) => people.get(name)

export function checkPassword(name, password) {
  const found = people.get(name)
  // hashed for unknown names too: the time must not tell which names exist
  const hash = scryptSync(password, found?.salt ?? 'no such person', 32)
  return found !== undefined && timingSafeEqual(hash, found.hash) ? found : undefined
}

/** The groups that somebody is in, whatever the role. */
export const groupsOf = (name) => Object.keys(groups).filter((group) => groups[group][name] !== undefined)

/** The portal's own authorization: may somebody do this in a namespace, which is a person or a group? */
export function may(person, action, namespace) {
  if (person.admin || person.name === namespace) return true
  const role = groups[namespace]?.[person.name]
  return role !== undefined && roleActions[role].includes(action)
}
