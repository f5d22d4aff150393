/** Checks that the registry answers where clients look for it. */
import { failed } from './bytes.js'
import type { Findings } from './finding.js'
import { sendProbe } from './http-probe.js'

export async function* checkPublicUrl(url: string): Findings {
  const check = `discovery at ${url}`
  const fix = 'start serve; or --public-url, or the proxy in front of it'
  try {
    const answer = await sendProbe(`${url}/assets/config/config.prod.json`, { method: 'GET' })
    if (answer.status !== 200) {
      const cause =
        answer.status >= 300 && answer.status < 400
          ? 'a redirect: clients lose the body of a POST on one'
          : 'something else answers there'
      yield { check, state: 'failed', found: `status ${answer.status}`, cause, fix }
      return
    }
    const named = uriIn(answer.body.toString())
    if (named === url) yield { check, state: 'ok', found: 'answers, and names itself' }
    else
      yield {
        check,
        state: 'failed',
        found: `names ${JSON.stringify(named)} as the library`,
        cause: 'serve runs with another public URL',
        fix: '--public-url of serve',
      }
  } catch (error) {
    const { found } = failed(check, error)
    yield { check, state: 'failed', found, fix }
  }
}

function uriIn(text: string): unknown {
  try {
    return (JSON.parse(text) as { libraryAPI?: { uri?: unknown } }).libraryAPI?.uri
  } catch {
    return undefined
  }
}
