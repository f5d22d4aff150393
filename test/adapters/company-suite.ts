/** That the middlewares of a host really stand in front of the registry, and that both go on doing their work. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { call } from './client.js'
import type { Company, Host, RunningHost } from './host.js'
import { answers, type Probe } from './probe.js'

interface Place {
  readonly host: Host
  readonly expected: Company
  readonly prefix: string
  readonly probe: Probe
  running(): RunningHost
}

export function describeCompany({ host, expected, prefix, probe, running }: Place): void {
  const origin = 'https://elsewhere.example'
  const ask = (path: string, headers: Readonly<Record<string, string>> = {}): ReturnType<typeof call> =>
    call(running().origin, `${prefix}${path}`, { headers: { origin, ...headers } })

  test('each middleware of the host marks our answers', async () => {
    for (const path of ['/answers/json', '/answers/see-other', '/answers/unauthorized', '/probe/source?1000']) {
      const came = await ask(path)
      for (const name of expected.headers)
        expect([path, name, came.values(name).length > 0]).toEqual([path, name, true])
    }
  })

  test('compression packs our JSON, whole', async () => {
    const came = await ask('/answers/large', { 'accept-encoding': 'gzip' })
    expect(came.header('content-encoding')).toBe('gzip')
    expect([came.header('content-type'), gunzipSync(came.body).toString()]).toEqual([
      'application/json',
      answers['/answers/large']?.body,
    ])
    const length = came.header('content-length')
    if (length !== undefined) expect(length).toBe(String(came.body.length))
  })

  test('hooks see the session of the host', async () => {
    const first = await ask('/probe/echo')
    expect(expected.viewsOf(probe.requests.at(-1)?.native)).toBe(1)
    const cookie = first
      .values('set-cookie')
      .map((value) => value.split(';')[0])
      .join('; ')
    await ask('/probe/echo', { cookie })
    expect(expected.viewsOf(probe.requests.at(-1)?.native)).toBe(2)
  })

  test('the CORS middleware answers the preflight of a browser', async () => {
    const came = await call(running().origin, `${prefix}/answers/json`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'PUT' },
    })
    expect([came.status, came.header('access-control-allow-methods')?.includes('PUT')]).toEqual([204, true])
    expect(probe.requests).toEqual([])
  })

  test('the static files of the host are served', async () => {
    const came = await call(running().origin, '/glossary.md')
    expect([came.status, came.text]).toEqual([200, readFileSync('docs/glossary.md', 'utf8')])
  })

  test('the rate limiter refuses before the registry is asked', async () => {
    const limited = await host.start({ library: probe, prefix, company: true, requestLimit: 2 })
    try {
      const statuses: number[] = []
      for (let turn = 0; turn < 3; turn += 1)
        statuses.push((await call(limited.origin, `${prefix}/answers/json`)).status)
      expect(statuses).toEqual([200, 200, 429])
      expect(probe.requests).toHaveLength(2)
    } finally {
      await limited.close()
    }
  })
}
