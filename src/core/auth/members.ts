/**
 * Members of entities in the built-in accounts: readers, writers and maintainers, users and groups.
 */
import type { AccountStore, MemberRecord, Role } from '../../storage/metadata/contract.js'
import { isMetadataError } from '../../storage/metadata/errors.js'
import { LibraryError } from '../http/errors.js'
import { checkName } from '../model/references.js'
import type { EmitAccountEvent } from './account-events.js'

/** One of the two: a user, or everybody in a group. */
export type MemberName =
  | { readonly user: string; readonly group?: undefined }
  | { readonly group: string; readonly user?: undefined }

export interface Members {
  /** Groups before users, by name. Throws `not-found` for an unknown entity. */
  list(entity: string): Promise<readonly MemberRecord[]>
  /**
   * Makes a member, or changes the role of one; from the next request on. Throws `not-found` where
   * there is no such entity or user, `invalid-request` for a role that is none.
   */
  set(member: MemberName & { readonly entity: string; readonly role: Role }): Promise<MemberRecord>
  /** False when there was none. */
  remove(member: MemberName & { readonly entity: string }): Promise<boolean>
}

export const roles: readonly Role[] = ['reader', 'writer', 'maintainer']

function subjectOf({ user, group }: MemberName): Pick<MemberRecord, 'kind' | 'name'> {
  if ((user === undefined) === (group === undefined))
    throw new LibraryError('invalid-request', 'user, group: one of them is needed, and no more')
  return user === undefined
    ? { kind: 'group', name: checkName('group', group ?? '') }
    : { kind: 'user', name: checkName('user', user) }
}

export function createMembers(options: {
  readonly store: () => Promise<AccountStore>
  readonly hasEntity: (name: string) => Promise<boolean>
  readonly clock: () => number
  readonly emit: EmitAccountEvent
}): Members {
  const { store, hasEntity, clock, emit } = options
  const noEntity = (entity: string, cause?: unknown): LibraryError =>
    new LibraryError('not-found', `no such entity: ${entity}`, { cause })

  return {
    list: async (entity) => {
      const accounts = await store()
      if (!(await hasEntity(entity))) throw noEntity(entity)
      return accounts.listMembers(entity)
    },

    set: async ({ entity, role, ...member }) => {
      checkName('entity', entity)
      if (!roles.includes(role))
        throw new LibraryError('invalid-request', `role: ${JSON.stringify(role)} is none of ${roles.join(', ')}`)
      const subject = subjectOf(member)
      const accounts = await store()
      const made = await accounts
        .setMember({ entity, ...subject, role, createdAt: clock() })
        .catch(async (error: unknown) => {
          if (!isMetadataError(error, 'parent-missing')) throw error
          if (!(await hasEntity(entity))) throw noEntity(entity, error)
          throw new LibraryError('not-found', `no such user: ${subject.name}`, { cause: error })
        })
      emit('member.changed', { entity, ...subject, role })
      return made
    },

    remove: async ({ entity, ...member }) => {
      const subject = subjectOf(member)
      const removed = await (await store()).removeMember(entity, subject)
      if (removed) emit('member.changed', { entity, ...subject, role: null })
      return removed
    },
  }
}
