/** Signing in and out, for a browser: the cookie of a session of the built-in accounts. */
import { z } from 'zod'
import {
  dataResponse,
  defineRoute,
  type ExtensionHost,
  type ExtensionRoute,
  endedSessionCookie,
  LibraryError,
  sessionCookie,
} from '../../core/extension.js'

const secret = z.string().trim().min(1).max(4096)

/** One of the two. */
const signInBody = z
  .strictObject({
    token: secret.optional().describe('An access token. The session may do what it may, and ends with it.'),
    code: secret.optional().describe('What stands behind the # of a sign-in link: good once, for ten minutes.'),
  })
  .meta({ id: 'SignIn' })

const signedIn = z
  .object({
    user: z.string().describe('Name of the user.'),
    expiresAt: z.iso.datetime().describe('The end of the session, unless it is used in the last six hours before.'),
  })
  .meta({ id: 'SignedIn' })

type Host = Pick<ExtensionHost, 'accounts' | 'publicUrl'>

/**
 * Rows that need no credentials, as they begin and end these. What the page of another site has a
 * browser send is refused before them, so that nobody is signed in as somebody else.
 */
export function sessionRoutes({ accounts, publicUrl }: Host): readonly ExtensionRoute[] {
  return [
    defineRoute<z.infer<typeof signInBody>, undefined>({
      name: 'api.session.create',
      method: 'POST',
      path: '/api/v1/session',
      summary: 'Signs a browser in by an access token or a one-time code; the session is a cookie that no script reads',
      access: 'public',
      body: { schema: signInBody },
      success: { status: 200, schema: z.object({ data: signedIn }) },
      handler: async ({ body: { token, code }, request }) => {
        if ((token === undefined) === (code === undefined))
          throw new LibraryError('invalid-request', 'token, code: one of them is needed, and no more')
        const by = code === undefined ? { token: token ?? '' } : { code }
        const { session, info } = await accounts.createSession(by)
        const answer = dataResponse({
          user: info.userName,
          expiresAt: new Date(info.expiresAt ?? 0).toISOString(),
        })
        return { ...answer, headers: { ...answer.headers, 'set-cookie': sessionCookie(session, publicUrl(request)) } }
      },
    }),
    defineRoute<undefined, undefined>({
      name: 'api.session.delete',
      method: 'DELETE',
      path: '/api/v1/session',
      summary: 'Signs a browser out: ends its session and takes the cookie back',
      access: 'public',
      body: 'none',
      success: { status: 204, schema: 'empty' },
      handler: async ({ request }) => {
        await accounts.endSession(request)
        return {
          status: 204,
          headers: { 'set-cookie': endedSessionCookie(publicUrl(request)) },
          body: null,
        }
      },
    }),
  ]
}
