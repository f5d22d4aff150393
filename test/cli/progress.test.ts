import { expect, test } from 'vitest'
import { createProgress } from '../../src/cli/progress.js'
import { formatBytes } from '../../src/core/index.js'

function makeStream(isTTY: boolean) {
  const written: string[] = []
  let now = 0
  const progress = createProgress({ isTTY, write: (text) => written.push(text) }, () => now)
  return { written, progress, pass: (milliseconds: number) => (now += milliseconds) }
}

test('on a terminal one line is written over, five times a second at the most, and is gone before others', () => {
  const { written, progress, pass } = makeStream(true)
  progress.clear()
  progress.show('1')
  progress.show('2')
  pass(200)
  progress.show('3')
  progress.clear()
  progress.clear()
  expect(written).toEqual(['\r\u001b[K1', '\r\u001b[K3', '\r\u001b[K'])
})

test('elsewhere a line every ten minutes', () => {
  const { written, progress, pass } = makeStream(false)
  progress.show('1')
  pass(600_000)
  progress.show('2')
  progress.show('3')
  progress.clear()
  pass(600_000)
  progress.show('4')
  expect(written).toEqual(['2\n', '4\n'])
})

test('sizes in the units of the options', () => {
  expect([0, 0.5, 1023, 1024, 1.5 * 1024 ** 3, 5000 * 1024 ** 4].map(formatBytes)).toEqual([
    '0 B',
    '1 B',
    '1023 B',
    '1.0 KiB',
    '1.5 GiB',
    '5000.0 TiB',
  ])
})
