// What may have changed on a machine, by names and times alone: far cheaper than a look at all of it.

import { statSync } from 'node:fs'
import { featureFilesDirectory, type HostTree } from '#machines/host-tree.ts'

const deviceDirectories = ['sys/bus/pci/devices', 'sys/bus/usb/devices', 'sys/class/net', 'sys/class/drm']

/** Devices, interfaces and modules that are there: as long as nothing comes or goes it stays the same. */
export function devicesSeen(tree: HostTree): string {
  const names = deviceDirectories.map(directory => (tree.names(tree.host(directory)) ?? []).join(' '))
  const modules = (tree.rawText(tree.own('proc/modules')) ?? '').split('\n').map(line => line.split(' ', 1)[0] ?? '')
  return [...names, modules.sort().join(' ')].join('\n')
}

/** Feature files, their sizes and times. */
export function featureFilesSeen(tree: HostTree): string {
  const directory = tree.own(featureFilesDirectory)
  return (tree.names(directory) ?? []).map(name => `${name} ${fileStamp(`${directory}/${name}`)}`).join('\n')
}

/** What changes with a file: which it is, its size and times. */
export function fileStamp(path: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(path)
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`
  } catch {
    // A file that cannot be looked at counts as one that is not there: the look itself tells.
    return '-'
  }
}
