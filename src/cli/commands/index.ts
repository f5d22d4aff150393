import type { Command } from '../command.js'
import { activity } from './activity.js'
import { copyStorage } from './copy-storage.js'
import { deleteCommand } from './delete.js'
import { doctor } from './doctor.js'
import { health } from './health.js'
import { inspect } from './inspect.js'
import { list } from './list.js'
import { login } from './login.js'
import { memberAdd, memberList, memberRemove } from './member.js'
import { quota } from './quota.js'
import { reindex } from './reindex.js'
import { remote } from './remote.js'
import { serve } from './serve.js'
import { signIn } from './sign-in.js'
import { sweep } from './sweep.js'
import { tag, untag } from './tag.js'
import { tokenCreate, tokenList, tokenRevoke } from './token.js'
import { usage } from './usage.js'
import { userAdd, userList, userRemove, userSet, userShow } from './user.js'
import { verify } from './verify.js'
import { visibility } from './visibility.js'

/** In the order that help shows them in. */
export const commands: readonly Command[] = [
  serve,
  userAdd,
  userList,
  userShow,
  userSet,
  userRemove,
  tokenCreate,
  tokenList,
  tokenRevoke,
  signIn,
  memberList,
  memberAdd,
  memberRemove,
  list,
  usage,
  activity,
  tag,
  untag,
  quota,
  deleteCommand,
  visibility,
  inspect,
  remote,
  login,
  doctor,
  health,
  sweep,
  verify,
  reindex,
  copyStorage,
]
