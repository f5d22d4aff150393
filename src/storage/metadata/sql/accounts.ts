import type { AccountStore, TokenHolder, TokenKind, TokenRecord, UserRecord } from '../contract.js'
import { MetadataError } from '../errors.js'
import { memberStore, roleColumns, rolesOf } from './members.js'
import { flag, nullableFlag } from './names.js'
import { listOf } from './rows.js'
import { changed, type Row, type SqlRunner, type Steps, selectAll, selectFirst, type Value } from './steps.js'

const userColumns = 'id, name, admin, group_names, created_at'
const tokenColumns = 'id, kind, parent_id, user_id, label, hash, scopes, created_at, expires_at, last_used_at'
const tokenAndUser = `${tokenColumns.replace(/\w+/g, 't.$&')}, u.name AS user_name, u.admin, u.group_names, u.created_at AS user_created_at`
const fromTokens = 'FROM tokens t JOIN users u ON u.id = t.user_id'
const tokenWithUser = `SELECT ${tokenAndUser} ${fromTokens}`

function userOf(row: Row): UserRecord {
  return {
    id: row.id as string,
    name: row.name as string,
    admin: row.admin === 1,
    groups: listOf(row.group_names),
    createdAt: row.created_at as number,
  }
}

function tokenOf(row: Row): TokenRecord {
  return {
    id: row.id as string,
    kind: row.kind as TokenKind,
    parentId: row.parent_id as string | null,
    userId: row.user_id as string,
    label: row.label as string,
    hash: row.hash as string,
    scopes: listOf(row.scopes),
    createdAt: row.created_at as number,
    expiresAt: row.expires_at as number | null,
    lastUsedAt: row.last_used_at as number | null,
  }
}

function tokenAndUserOf(row: Row): { readonly token: TokenRecord; readonly user: UserRecord } {
  const user = {
    id: row.user_id as string,
    name: row.user_name as string,
    admin: row.admin === 1,
    groups: listOf(row.group_names),
    createdAt: row.user_created_at as number,
  }
  return { token: tokenOf(row), user }
}

const exists = (sql: string, ...values: readonly Value[]): Steps<boolean> => changed(`${sql} LIMIT 1`, ...values)

/**
 * Those who are added or changed at the same time wait, so that each sees the names and groups of
 * the others.
 */
function* lockUsers(): Steps<void> {
  yield { sql: 'SELECT id FROM users ORDER BY id FOR NO KEY UPDATE', values: [] }
}

const held = (what: string): MetadataError => new MetadataError('name-held', what)

/** Throws `name-held` where the name would open what somebody else made, or was given. */
function* assertFreeName(name: string): Steps<void> {
  if (yield* exists('SELECT 1 AS found FROM retired_names WHERE name = ?', name))
    throw held(`${name} is the name of a user who was removed`)
  if (yield* exists('SELECT 1 AS found FROM entities WHERE name = ?', name))
    throw held(`there is an entity ${name} already`)
  // names have no quotes, and of the characters of a pattern only the underscore
  const pattern = `%"${name.replaceAll('_', '\\_')}"%`
  if (yield* exists(`SELECT 1 AS found FROM users WHERE group_names LIKE ? ESCAPE '\\'`, pattern))
    throw held(`${name} is a group of users`)
}

/**
 * Throws `name-held` for a group that is somebody's own entity. To name any other group is to give
 * its entity away.
 */
function* assertFreeGroups(groups: readonly string[]): Steps<void> {
  for (const group of groups) {
    if (yield* exists('SELECT 1 AS found FROM users WHERE name = ?', group))
      throw held(`${group} is a user, and no group`)
    if (yield* exists('SELECT 1 AS found FROM retired_names WHERE name = ?', group))
      throw held(`${group} is the name of a user who was removed, and no group`)
  }
}

export function accountStore(runner: SqlRunner): AccountStore {
  const holder = `SELECT ${tokenAndUser}, ${roleColumns(runner.dialect)} ${fromTokens}`
  const holderOf = (row: Row): TokenHolder => ({ ...tokenAndUserOf(row), roles: rolesOf(row) })

  return {
    ...memberStore(runner),

    createUser: (user, { takeOver = false } = {}) =>
      runner.run('transaction', function* () {
        const { id, name, admin, groups, createdAt } = user
        yield* lockUsers()
        const isTaken = yield* exists('SELECT 1 AS found FROM users WHERE name = ?', name)
        if (!takeOver && !isTaken) {
          yield* assertFreeName(name)
          yield* assertFreeGroups(groups.filter((group) => group !== name))
        }
        yield { sql: 'DELETE FROM retired_names WHERE name = ?', values: [name] }
        const sql = `INSERT INTO users (${userColumns}) VALUES (?, ?, ?, ?, ?) RETURNING ${userColumns}`
        return (yield* selectFirst(userOf, sql, id, name, flag(admin), JSON.stringify(groups), createdAt)) ?? user
      }),

    findUser: (name) =>
      runner.run('read', () => selectFirst(userOf, `SELECT ${userColumns} FROM users WHERE name = ?`, name)),

    listUsers: () => runner.run('read', () => selectAll(userOf, `SELECT ${userColumns} FROM users ORDER BY name`)),

    updateUser: (id, { admin, groups, takeOver = false }) =>
      runner.run('transaction', function* () {
        yield* lockUsers()
        const user = yield* selectFirst(userOf, `SELECT ${userColumns} FROM users WHERE id = ?`, id)
        if (user === undefined) return undefined
        if (!takeOver && groups !== undefined)
          yield* assertFreeGroups(groups.filter((group) => group !== user.name && !user.groups.includes(group)))
        return yield* selectFirst(
          userOf,
          `UPDATE users SET admin = COALESCE(?, admin), group_names = COALESCE(?, group_names) WHERE id = ? RETURNING ${userColumns}`,
          nullableFlag(admin),
          groups === undefined ? null : JSON.stringify(groups),
          id,
        )
      }),

    removeUser: (name) =>
      runner.run('transaction', function* () {
        // locked first, so that nobody adds a token between the two deletions
        const id = yield* selectFirst((row) => row.id as string, 'SELECT id FROM users WHERE name = ? FOR UPDATE', name)
        if (id === undefined) return false
        yield { sql: 'DELETE FROM tokens WHERE user_id = ?', values: [id] }
        yield {
          sql: 'INSERT INTO retired_names (name, user_id) VALUES (?, ?) ON CONFLICT DO NOTHING',
          values: [name, id],
        }
        return yield* changed('DELETE FROM users WHERE id = ? RETURNING id', id)
      }),

    createToken: async (token) => {
      const { id, kind, parentId, userId, label, hash, scopes, createdAt, expiresAt, lastUsedAt } = token
      const sql = `INSERT INTO tokens (${tokenColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING ${tokenColumns}`
      const named = [id, kind, parentId, userId, label, hash, JSON.stringify(scopes)]
      const created = await runner.run('statement', () =>
        selectFirst(tokenOf, sql, ...named, createdAt, expiresAt, lastUsedAt),
      )
      return created ?? token
    },

    findToken: (hash) => runner.run('read', () => selectFirst(holderOf, `${holder} WHERE t.hash = ?`, hash)),

    findTokenById: (id) => runner.run('read', () => selectFirst(holderOf, `${holder} WHERE t.id = ?`, id)),

    listTokens: (userId) =>
      runner.run('read', () => {
        const map = (row: Row): TokenRecord & { readonly userName: string } => ({
          ...tokenOf(row),
          userName: row.user_name as string,
        })
        const order = 'ORDER BY t.created_at DESC, t.id DESC'
        if (userId === undefined) return selectAll(map, `${tokenWithUser} ${order}`)
        return selectAll(map, `${tokenWithUser} WHERE t.user_id = ? ${order}`, userId)
      }),

    removeToken: (id) => runner.run('statement', () => changed('DELETE FROM tokens WHERE id = ? RETURNING id', id)),

    takeCode: (hash) =>
      runner.run('transaction', function* () {
        const found = yield* selectFirst(tokenAndUserOf, `${tokenWithUser} WHERE t.hash = ? AND t.kind = 'code'`, hash)
        if (found === undefined) return undefined
        return (yield* changed('DELETE FROM tokens WHERE id = ? RETURNING id', found.token.id)) ? found : undefined
      }),

    touchToken: async (id, now, expiresAt) => {
      const moved =
        'COALESCE((SELECT p.expires_at FROM tokens p WHERE p.id = tokens.parent_id AND p.expires_at < ?), ?)'
      await runner.run('statement', () =>
        expiresAt === undefined
          ? changed('UPDATE tokens SET last_used_at = ? WHERE id = ?', now, id)
          : changed(
              `UPDATE tokens SET last_used_at = ?, expires_at = ${moved} WHERE id = ?`,
              ...[now, expiresAt, expiresAt, id],
            ),
      )
    },

    trimSessions: ({ userId, keep, now }) =>
      runner.run('transaction', function* () {
        yield { sql: `DELETE FROM tokens WHERE kind <> 'token' AND expires_at <= ?`, values: [now] }
        yield {
          sql: `DELETE FROM tokens WHERE id IN (SELECT id FROM tokens WHERE user_id = ? AND kind = 'session'
            ORDER BY created_at DESC, id DESC LIMIT 1000 OFFSET ?)`,
          values: [userId, keep],
        }
      }),
  }
}
