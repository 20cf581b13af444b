// What lies on the servers of a site, as lines that a person can compare.

import { spawnSync } from 'node:child_process'
import { lstatSync, readdirSync, readlinkSync } from 'node:fs'
import { join, relative } from 'node:path'

/** Times before it were set by a case; later ones are the run's. */
const longAgoMs = 1_100_000_000_000

/** Below `folder`, sorted: kind, mode, size of a file, and the time where it is old. Archives are read, since each program packs them its own way. */
export function treeLines(folder: string): readonly string[] {
  const lines: string[] = []
  const walk = (directory: string) => {
    for (const name of readdirSync(directory).toSorted()) {
      const path = join(directory, name)
      if (directory === folder && name.startsWith('.')) continue
      const { mode, size, mtimeMs } = lstatSync(path)
      const shown = JSON.stringify(relative(folder, path)).slice(1, -1)
      const rights = (mode & 0o7777).toString(8).padStart(4, '0')
      const time = mtimeMs < longAgoMs ? ` @${mtimeMs / 1_000}` : ''
      const isFolder = (mode & 0o170000) === 0o040000
      if ((mode & 0o170000) === 0o120000) lines.push(`link ${shown} -> ${readlinkSync(path)}`)
      else if (isFolder) lines.push(`folder ${rights} ${shown}${time}`)
      else if ((mode & 0o170000) === 0o010000) lines.push(`pipe ${rights} ${shown}`)
      else if (/\.tar(\.gz)?$/.test(name) && size > 100)
        lines.push(`archive ${rights} ${shown}`, ...archiveLines(path).map(line => `entry ${shown} ${line}`))
      else lines.push(`file ${rights} ${size} ${shown}${time}`)
      if (isFolder) walk(path)
    }
  }
  walk(folder)
  return lines
}

/** In the archive's own order, as `tar` lists it. */
function archiveLines(path: string): readonly string[] {
  const { stdout, status } = spawnSync(
    'tar',
    ['--list', '--verbose', '--numeric-owner', '--full-time', '--utc', '--quoting-style=escape', '-f', path],
    {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    },
  )
  if (status !== 0) return ['that cannot be read']
  return stdout
    .trimEnd()
    .split('\n')
    .map(line => {
      const [rights = '', owner = '', size = '', date = '', time = '', ...name] = line.split(/ +/)
      return `${rights} ${owner} ${size}${Number(date.slice(0, 4)) < 2005 ? ` ${date} ${time}` : ''} ${name.join(' ')}`
    })
}
