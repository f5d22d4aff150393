/** Node's listen queue holds 511 connections: of 1,500 jobs that start at once the others lost their SYN, and waited for seconds. */
import { spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { resolveSettings } from '../../../src/cli/options/resolve.js'
import { createWebServer } from '../../../src/cli/serve/web-server.js'
import { describeWhen } from '../../e2e/harness/availability.js'

/** Send-Q of a listening socket is its backlog. */
function backlogOf(port: number): number {
  const { stdout } = spawnSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' })
  return Number(stdout.trim().split(/\s+/)[2])
}

const missing = spawnSync('ss', ['-V']).status === 0 ? undefined : 'ss is not installed'

describeWhen(missing, 'the listen queue')('the listen queue', () => {
  it('is as long as the system takes', async () => {
    const plain = createServer()
    await new Promise<void>((resolve) => plain.listen({ port: 0, host: '127.0.0.1', backlog: 2 ** 30 }, resolve))
    const most = backlogOf((plain.address() as AddressInfo).port)
    plain.close()
    expect(most).toBeGreaterThan(0)
    const server = await createWebServer(resolveSettings({ flags: { port: '0' }, environment: {} }), {
      app: () => {},
      logger: { warn: () => {} },
    })
    try {
      expect(backlogOf(await server.listen())).toBe(Math.min(most, 65_535))
    } finally {
      await server.drain()
    }
  })
})
