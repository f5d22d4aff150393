/** Servers that Debian packages; their own services are neither used nor touched. */
import { fileURLToPath } from 'node:url'
import { isRoot } from '../local-server.mjs'
import { findProgram, run, S3ServerMissing } from './daemon.mjs'

/** Finds programs; as root with apt-get it installs what is missing, without starting a service. */
export async function needPrograms(server, programs, packages) {
  const missing = () => programs.filter((program) => findProgram(program) === undefined)
  // the one place that knows how to keep a package from starting its service
  if (missing().length > 0 && isRoot && findProgram('apt-get') !== undefined)
    await run('bash', [fileURLToPath(new URL('../install-tools.sh', import.meta.url))]).catch(() => {})
  const stillMissing = missing()
  if (stillMissing.length > 0)
    throw new S3ServerMissing(`${server} needs ${stillMissing.join(', ')} (Debian: apt-get install ${packages})`)
  return Object.fromEntries(programs.map((program) => [program, findProgram(program)]))
}
