// What is mounted where, by the kernel's own tables: they answer at once whatever a server does, where a look at a path may hang for ever.

import { readFileSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

export interface Mounted {
  /** The kernel's number of it, which no other mount has meanwhile. */
  readonly id: string
  readonly target: string
  readonly fsType: string
  /** `server:/share/folder` for NFS. */
  readonly source: string
  readonly options: readonly string[]
}

export interface MountTable {
  /** All mounts that this process sees, in the order in which they were made. */
  mounts(): readonly Mounted[]
  /** The topmost mount at a target: what is below it cannot be seen. */
  at(target: string): Mounted | undefined
  /** Connections that the kernel has for a mount of NFS; undefined where it says none. */
  connections(target: string): number | undefined
}

/** This process's own. */
export const kernelTable: MountTable = {
  mounts: () => readMountInfo(mountInfo()),
  at: target => {
    const text = mountInfo()
    const found = readMountAt(text, target)
    if (found !== undefined) return found
    const resolved = resolvedPlace(target)
    return resolved === undefined || resolved === target ? undefined : readMountAt(text, resolved)
  },
  connections: target => readConnections(readFileSync('/proc/self/mountstats', 'utf8'), target),
}

const mountInfo = (): string => readFileSync('/proc/self/mountinfo', 'utf8')

/** As the kernel has it where links lead there, or its folders are written otherwise. The target itself is not looked at: it may be a share. */
function resolvedPlace(target: string): string | undefined {
  try {
    return join(realpathSync(dirname(target)), basename(target))
  } catch (error) {
    // Nothing is mounted where nothing is.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return undefined
    throw error
  }
}

/** The kernel writes blanks, tabs, line ends and backslashes as three octal digits. */
const unescaped = (field: string): string =>
  field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))

/** Lines of `mountinfo` (proc_pid_mountinfo(5)); one that is cut is passed over. */
export function readMountInfo(text: string): readonly Mounted[] {
  return text.split('\n').flatMap(line => {
    const [before = '', after = ''] = line.split(' - ', 2)
    const [id = '', , , , target, options] = before.split(' ')
    const [fsType, source, superOptions = ''] = after.split(' ')
    if (target === undefined || options === undefined || fsType === undefined || source === undefined) return []
    const all = [...options.split(','), ...superOptions.split(',')]
    return [{ id, target: unescaped(target), fsType, source: unescaped(source), options: all }]
  })
}

/** As `MountTable.at`. Each volume asks it several times, so that lines are read only where the target may stand in them. */
export function readMountAt(text: string, target: string): Mounted | undefined {
  const written = ` ${target.replace(/[ \t\n\\]/g, one => `\\${one.charCodeAt(0).toString(8).padStart(3, '0')}`)} `
  for (let end = text.lastIndexOf(written); end >= 0; end = end === 0 ? -1 : text.lastIndexOf(written, end - 1)) {
    const lineEnd = text.indexOf('\n', end)
    const line = text.slice(text.lastIndexOf('\n', end) + 1, lineEnd < 0 ? undefined : lineEnd)
    const found = readMountInfo(line).find(mounted => mounted.target === target)
    if (found !== undefined) return found
  }
  return undefined
}

/** Counts the lines `xprt:` of a mount in `mountstats`: the kernel writes one for each connection. */
export function readConnections(text: string, target: string): number | undefined {
  let isHere = false
  let count: number | undefined
  for (const line of text.split('\n')) {
    const [, , found] = /^device (.*) mounted on (.*) with fstype nfs/.exec(line) ?? []
    if (line.startsWith('device ')) {
      isHere = found !== undefined && unescaped(found) === target
      // The last of several at one place is the one that is seen.
      if (isHere) count = 0
    } else if (isHere && line.trimStart().startsWith('xprt:')) count = (count ?? 0) + 1
  }
  return count === 0 ? undefined : count
}
