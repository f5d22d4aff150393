/** What it costs to inspect a SIF file, as at each publish: CPU per file, without the reads of the storage. */
import { inspectSif } from 'sif-library/sif'
import { median, printTable, round, saveResults } from './lib/report.mjs'

/** A file as the CLIs write it: 48 slots at 4096, definition file, inspect object with 40 labels, a partition, a signature. */
function ordinaryImage() {
  const attributes = {
    deffile: 'bootstrap: docker\nfrom: alpine\n'.repeat(40),
    labels: Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`org.example.label-${index}`, 'a value'])),
    environment: { '/.singularity.d/env/90-environment.sh': 'export PATH=/opt/bin:$PATH\n'.repeat(20) },
    runscript: '#!/bin/sh\nexec tool "$@"\n',
  }
  const objects = [
    [0x4001, Buffer.from(attributes.deffile), ''],
    [0x4006, Buffer.from(JSON.stringify({ type: 'container', data: { attributes } })), 'inspect-metadata.json'],
    [0x4004, Buffer.alloc(4_000_000, 7), 'squash'],
    [0x4005, Buffer.from(`-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n${'x'.repeat(1000)}`), ''],
  ]
  const tableAt = 4096
  let end = tableAt + 48 * 585
  const file = Buffer.alloc(end + objects.reduce((sum, [, bytes]) => sum + bytes.length, 0))
  file.write('SIF_MAGIC\0', 32, 'latin1')
  file.write('01\x0002\0', 42, 'latin1')
  for (const [at, value] of [
    [88, 48],
    [96, tableAt],
    [104, 48 * 585],
  ])
    file.writeBigInt64LE(BigInt(value), at)
  for (const [slot, [type, bytes, name]] of objects.entries()) {
    const at = tableAt + slot * 585
    file.writeInt32LE(type, at)
    file.writeUInt8(1, at + 4)
    file.writeUInt32LE(slot + 1, at + 5)
    file.writeUInt32LE(0xf0000001, at + 9)
    file.writeBigInt64LE(BigInt(end), at + 17)
    file.writeBigInt64LE(BigInt(bytes.length), at + 25)
    file.write(name, at + 73)
    if (type === 0x4004) {
      file.writeInt32LE(1, at + 201)
      file.writeInt32LE(2, at + 205)
      file.write('02\0', at + 209, 'latin1')
    }
    file.set(bytes, end)
    end += bytes.length
  }
  return file
}

/** Goal: 3 ms of CPU for each file. */
export async function benchInspect({ rounds = 11, files = 200 } = {}) {
  const bytes = ordinaryImage()
  let read = 0
  const source = {
    size: bytes.length,
    read: async (offset, length) => {
      read += length
      return bytes.subarray(offset, offset + length)
    },
  }
  const found = await inspectSif(source)
  if (found.state !== 'sif' || found.arch !== 'amd64') throw new Error(`the file is ${found.state}: ${found.reason}`)
  const bytesRead = read
  const times = []
  for (let count = 0; count < rounds; count += 1) {
    const before = process.cpuUsage()
    for (let file = 0; file < files; file += 1) await inspectSif(source)
    const { user, system } = process.cpuUsage(before)
    times.push((user + system) / 1000 / files)
  }
  const value = round(median(times), 3)
  const rows = [
    { what: 'inspect a SIF file', value, unit: 'ms of CPU', goal: '≤ 3 ms', holds: value <= 3 },
    { what: 'bytes read of it', value: bytesRead, unit: 'bytes' },
  ]
  printTable('Inspection of a SIF file', rows)
  saveResults('inspect', rows)
}
