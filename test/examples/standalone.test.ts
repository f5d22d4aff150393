import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { pull, push } from '../adapters/push.js'
import { PACKAGE } from '../e2e/harness/paths.js'
import { freePort } from '../e2e/harness/server.js'
import { makeSif } from '../fixtures/sif.js'
import { cleanUpAfterEach, serve, temporaryFolder } from '../package/cli-support.js'

const config = join(PACKAGE, 'examples/standalone/sif-library.yaml')
cleanUpAfterEach()

test('the configuration file fits its schema', async () => {
  const schema = JSON.parse(await readFile(join(PACKAGE, 'config.schema.json'), 'utf8')) as object
  const validate = new Ajv2020().compile(schema)
  validate(parse(await readFile(config, 'utf8')))
  expect(validate.errors).toBeNull()
})

test('the server starts with it, and takes a push', async () => {
  const data = await temporaryFolder()
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  await serve(data, ['--config', config, '--port', String(port), '--public-url', url])
  const alice = { url, token: (await readFile(join(data, 'admin-token'), 'utf8')).trim() }
  const bytes = makeSif()
  await push(alice, { path: 'admin/tools/bwa', bytes })
  expect((await pull(alice, 'admin/tools/bwa:latest')).equals(bytes)).toBe(true)
  await expect(pull({ url }, 'admin/tools/bwa:latest'), 'default-private holds').rejects.toThrow('404')
  await expect(push(alice, { path: 'admin/tools/bwa', bytes: randomBytes(1000) }), 'require-sif holds').rejects.toThrow('422')
})
