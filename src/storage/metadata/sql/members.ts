/** Members of entities, and what roles they give to who holds a token. */
import type { AccountStore, MemberRecord, Role } from '../contract.js'
import { MetadataError } from '../errors.js'
import { listOf } from './rows.js'
import { changed, type Dialect, type Row, type SqlRunner, selectAll, selectFirst } from './steps.js'

/** The lowest first. */
const ascending: readonly Role[] = ['reader', 'writer', 'maintainer']

/**
 * Two columns of a query that reads a user `u`: JSON lists of `ENTITY ROLE`, or NULL. Each is read
 * by its index, which one condition with OR would not be.
 */
export function roleColumns({ list, jsonList }: Dialect): string {
  const pair = jsonList(`e.name || ' ' || m.role`)
  const groups = list.replace('?', 'u.group_names')
  return `(SELECT ${pair} FROM members m JOIN entities e ON e.id = m.entity_id
      WHERE m.subject = u.id AND m.kind = 'user') AS own_roles,
    (SELECT ${pair} FROM ${groups} JOIN members m ON m.subject = list.value AND m.kind = 'group'
      JOIN entities e ON e.id = m.entity_id) AS group_roles`
}

/** Entity → the highest of its roles. */
export function rolesOf(row: Row): Readonly<Record<string, Role>> {
  const highest = new Map<string, Role>()
  for (const pair of [row.own_roles, row.group_roles].flatMap((json) => (json === null ? [] : listOf(json)))) {
    const [entity = '', role = ''] = pair.split(' ')
    const before = highest.get(entity)
    if (before === undefined || ascending.indexOf(before) < ascending.indexOf(role as Role))
      highest.set(entity, role as Role)
  }
  return Object.fromEntries(highest)
}

function memberOf(row: Row): MemberRecord {
  return {
    entity: row.entity as string,
    kind: row.kind as MemberRecord['kind'],
    name: row.name as string,
    role: row.role as Role,
    createdAt: row.created_at as number,
  }
}

const missing = (what: string): MetadataError => new MetadataError('parent-missing', `there is no ${what}`)
const idOf = (row: Row): string => row.id as string

type MemberStore = Pick<AccountStore, 'setMember' | 'removeMember' | 'listMembers'>

export function memberStore(runner: SqlRunner): MemberStore {
  return {
    setMember: (member) =>
      runner.run('transaction', function* () {
        const { entity, kind, name, role, createdAt } = member
        const entityId = yield* selectFirst(idOf, 'SELECT id FROM entities WHERE name = ?', entity)
        if (entityId === undefined) throw missing(`entity ${entity}`)
        const userId =
          kind === 'user' ? yield* selectFirst(idOf, 'SELECT id FROM users WHERE name = ?', name) : undefined
        if (kind === 'user' && userId === undefined) throw missing(`user ${name}`)
        const sql = `INSERT INTO members (entity_id, kind, subject, user_id, role, created_at) VALUES (?, ?, ?, ?, ?, ?)
          ON CONFLICT (entity_id, kind, subject) DO UPDATE SET role = excluded.role RETURNING created_at`
        const values = [entityId, kind, userId ?? name, userId ?? null, role, createdAt] as const
        const kept = yield* selectFirst((row) => row.created_at as number, sql, ...values)
        return { ...member, createdAt: kept ?? createdAt }
      }),

    removeMember: (entity, { kind, name }) =>
      runner.run('statement', () =>
        changed(
          `DELETE FROM members WHERE entity_id = (SELECT id FROM entities WHERE name = ?) AND kind = ?
            AND subject = ${kind === 'user' ? '(SELECT id FROM users WHERE name = ?)' : '?'} RETURNING entity_id`,
          ...[entity, kind, name],
        ),
      ),

    listMembers: (entity) =>
      runner.run('read', () =>
        selectAll(
          memberOf,
          `SELECT e.name AS entity, m.kind, COALESCE(u.name, m.subject) AS name, m.role, m.created_at
            FROM entities e JOIN members m ON m.entity_id = e.id LEFT JOIN users u ON u.id = m.user_id
            WHERE e.name = ? ORDER BY m.kind, 3`,
          entity,
        ),
      ),
  }
}
