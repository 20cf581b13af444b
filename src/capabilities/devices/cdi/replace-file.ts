// A file that others read while it is written: whole or not at all.

import { closeSync, fchmodSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** Makes a file so, with its folder; what was there stays until all is on disk. @throws Error of the system */
export function replaceFile(path: string, text: string, mode: number): void {
  const unfinished = `${path}.${process.pid}.tmp`
  mkdirSync(dirname(path), { recursive: true })
  try {
    const file = openSync(unfinished, 'w', mode)
    try {
      fchmodSync(file, mode)
      writeSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(unfinished, path)
  } catch (error) {
    rmSync(unfinished, { force: true })
    throw error
  }
}
