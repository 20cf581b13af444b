// The files that runtimes read: written as soon as a device is there, so that containers that start after the machine did find them, and anew
// when the device changes. A write that fails leaves containers with what the kubelet gives them.

import {
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type Log, messageOf } from '#kube/log.ts'
import type { FoundDevice } from '../discovery/found-device.ts'
import { cdiDeviceName } from '../discovery/offers.ts'
import { cdiFile, cdiSpec, deviceOfFile } from './cdi-spec.ts'

interface CdiOptions {
  readonly directory: string
  readonly groups: boolean
  readonly log: Log
}

export class CdiFiles {
  readonly #options: CdiOptions
  #wanted: ReadonlyMap<string, { readonly id: string; readonly text: string }> = new Map()
  #told = ''

  constructor(options: CdiOptions) {
    this.#options = options
  }

  /** Brings the files to what these devices are; files of devices that are gone go too. */
  bring(devices: readonly FoundDevice[]): void {
    const { groups, directory, log } = this.#options
    this.#wanted = new Map(
      devices.flatMap(device => {
        const name = cdiDeviceName(device)
        return name === undefined ? [] : [[name, { id: device.id, text: stringify(cdiSpec(device, groups)) }] as const]
      }),
    )
    for (const name of this.#wanted.keys()) this.has(name)
    const isWanted = new Set([...this.#wanted.values()].map(({ id }) => cdiFile(id)))
    for (const file of listed(directory))
      if (deviceOfFile(file) !== undefined && !isWanted.has(file)) {
        log.info({ file }, 'a device is gone, and its file for CDI with it')
        this.#try(() => rmSync(join(directory, file), { force: true }))
      }
  }

  /** Whether runtimes know the device: its file is there as it should be, or is now. */
  has(name: string): boolean {
    const wanted = this.#wanted.get(name)
    if (wanted === undefined) return false
    const path = join(this.#options.directory, cdiFile(wanted.id))
    return textOf(path) === wanted.text || this.#try(() => replace(path, wanted.text))
  }

  #try(write: () => void): boolean {
    try {
      write()
      this.#told = ''
      return true
    } catch (error) {
      const why = messageOf(error)
      if (why !== this.#told) this.#options.log.warn({ why }, 'files for CDI cannot be written: containers get devices without')
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

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // It is written then.
    return undefined
  }
}

/** Whole or not at all: runtimes read while we write. */
function replace(path: string, text: string): void {
  const unfinished = `${path}.${process.pid}.tmp`
  mkdirSync(join(path, '..'), { recursive: true })
  try {
    const file = openSync(unfinished, 'w', 0o644)
    try {
      fchmodSync(file, 0o644)
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
