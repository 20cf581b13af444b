// CPU time of a process and of the children that it waited for, in milliseconds.
import { readFileSync } from 'node:fs'

/** Linux counts children in ticks of 10 ms; elsewhere they are not known and count as nothing. */
const msPerTick = 10

/** CPU that this process has spent since it began, in milliseconds. */
export function ownCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** CPU of the children that ended and were waited for, with theirs, in milliseconds; undefined where the system does not tell. */
export function childrenCpuMs(): number | undefined {
  if (process.platform !== 'linux') return undefined
  // The name of the program may hold spaces and parentheses: the fields are counted from behind it.
  const text = readFileSync('/proc/self/stat', 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [user, system] = [fields[13], fields[14]].map(Number)
  return ((user ?? 0) + (system ?? 0)) * msPerTick
}
