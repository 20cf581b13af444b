// The files that runtimes read: written as soon as a device is there, so that containers that start after the machine did find them, and anew
// when the device changes.

import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type Log, messageOf } from '#kube/log.ts'
import type { FoundDevice } from '../discovery/found-device.ts'
import { type CdiName, cdiSpec } from './cdi-spec.ts'
import { replaceFile } from './replace-file.ts'

interface CdiOptions {
  readonly directory: string
  readonly groups: boolean
  readonly log: Log
  /** Tells files of ours from those of others. */
  readonly isOwn: (file: string) => boolean
  /** What follows where files cannot be written, for the log. */
  readonly without: string
}

/** A device that has a file. */
interface CdiDevice extends CdiName {
  readonly file: string
  readonly device: FoundDevice
}

export class CdiFiles {
  readonly #options: CdiOptions
  #wanted: ReadonlyMap<string, { readonly file: string; readonly text: string }> = new Map()
  /** By the text that was read, the file that had it. */
  readonly #read = new Map<string, string>()
  #told = ''

  constructor(options: CdiOptions) {
    this.#options = options
  }

  /** Brings the files to what these devices are; files of devices that are gone go too. */
  bring(devices: readonly CdiDevice[]): void {
    const { groups, directory, log, isOwn } = this.#options
    this.#wanted = new Map(
      devices.map(({ kind, name, file, device }) => [
        `${kind}=${name}`,
        { file, text: stringify(cdiSpec(device, { kind, name }, groups)) },
      ]),
    )
    this.#read.clear()
    for (const name of this.#wanted.keys()) this.has(name)
    const isWanted = new Set(Array.from(this.#wanted.values(), ({ file }) => file))
    for (const file of listed(directory))
      if (isOwn(file) && !isWanted.has(file)) {
        log.info({ file }, 'a device is gone, and its file for CDI with it')
        this.#try(() => rmSync(join(directory, file), { force: true }))
      }
  }

  /** Whether runtimes know the device by `kind=name`: its file is there as it should be, or is now. */
  has(name: string): boolean {
    const wanted = this.#wanted.get(name)
    if (wanted === undefined) return false
    const path = join(this.#options.directory, wanted.file)
    // A file that nobody has touched since it was read is not read again: this is asked for each container.
    const stamp = fileStamp(path)
    if (stamp !== undefined && this.#read.get(wanted.text) === stamp) return true
    this.#read.delete(wanted.text)
    if (textOf(path) !== wanted.text) return this.#try(() => replaceFile(path, wanted.text, 0o644))
    if (stamp !== undefined) this.#read.set(wanted.text, stamp)
    return true
  }

  #try(write: () => void): boolean {
    try {
      write()
      this.#told = ''
      return true
    } catch (error) {
      const why = messageOf(error)
      if (why !== this.#told) this.#options.log.warn({ why }, `files for CDI cannot be written: ${this.#options.without}`)
      this.#told = why
      return false
    }
  }
}

function listed(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch {
    // There is no such folder yet: there is nothing to take away.
    return []
  }
}

/** What changes with a file: which it is, its size and times, to the nanosecond. */
function fileStamp(path: string): string | undefined {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
    return `${path} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
  } catch {
    // It is read then, or written.
    return undefined
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // It is written then.
    return undefined
  }
}
