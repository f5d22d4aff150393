import type { Command } from '../command.js'
import { copyStorage } from './copy-storage.js'
import { doctor } from './doctor.js'
import { health } from './health.js'
import { inspect } from './inspect.js'
import { login } from './login.js'
import { memberAdd, memberList, memberRemove } from './member.js'
import { reindex } from './reindex.js'
import { remote } from './remote.js'
import { serve } from './serve.js'
import { signIn } from './sign-in.js'
import { sweep } from './sweep.js'
import { tokenCreate, tokenList, tokenRevoke } from './token.js'
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
