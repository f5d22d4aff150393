/** Whose file refused this user: what an operator has to know to mend a permission. */
import { readFileSync, type Stats, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** The name of a user where the machine keeps it in a file, and the number otherwise. */
function userName(id: number): string {
  try {
    const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
    const line = lines.find((each) => each.split(':')[2] === String(id))
    return line?.split(':')[0] ?? `number ${id}`
  } catch {
    return `number ${id}`
  }
}

function statIfPossible(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}

/**
 * The path itself, or the nearest folder above that can be looked at: it is the one that lets
 * nobody in, or where the file would be made.
 */
export function whoseFile(path: string): string {
  for (let place = path; ; place = dirname(place)) {
    const stat = statIfPossible(place)
    if (stat === undefined) {
      if (place === dirname(place)) return path
      continue
    }
    const mode = (stat.mode & 0o7777).toString(8).padStart(4, '0')
    const self = process.geteuid?.()
    const asWhom = self === undefined ? '' : `, and this process runs as user ${userName(self)}`
    return `${place} belongs to user ${userName(stat.uid)} (mode ${mode})${asWhom}`
  }
}
