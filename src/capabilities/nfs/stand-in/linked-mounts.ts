// Mounts that are links: a link to a folder takes the place of the target, and what was there waits elsewhere. It needs no rights of a machine's root.

import { mkdirSync, readlinkSync, renameSync, symlinkSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Mounted, MountTable } from '../mounts/mount-table.ts'

export class LinkedMounts {
  readonly #below: string
  #mounts: (Mounted & { readonly below: string })[] = []
  #made = 0

  /** `below`: where what is below a mount waits; it is made. */
  constructor(below: string) {
    mkdirSync(below, { recursive: true })
    this.#below = below
  }

  readonly table: MountTable = {
    mounts: () => this.#mounts,
    at: target => this.#mounts.findLast(mounted => mounted.target === target),
    connections: () => undefined,
  }

  /** Shows `folder` at `target`, a folder. */
  mount(folder: string, target: string, mounted: Omit<Mounted, 'id' | 'target'>): void {
    const id = String(this.#made++)
    const below = join(this.#below, id)
    renameSync(target, below)
    symlinkSync(folder, target)
    this.#mounts.push({ id, target, ...mounted, below })
  }

  /** Shows at `target`, too, what is mounted at `source`; false where nothing is. */
  bind(source: string, target: string, options: readonly string[]): boolean {
    const shown = this.table.at(source)
    if (shown === undefined) return false
    this.mount(readlinkSync(source), target, { fsType: shown.fsType, source: shown.source, options })
    return true
  }

  /** Takes away what is mounted at `target`; false where nothing is. */
  unmount(target: string): boolean {
    const mounted = this.#mounts.findLast(one => one.target === target)
    if (mounted === undefined) return false
    this.#mounts = this.#mounts.filter(one => one !== mounted)
    unlinkSync(target)
    renameSync(mounted.below, target)
    return true
  }
}
