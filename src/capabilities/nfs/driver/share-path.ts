// Which paths and servers may be spoken of. What a user can write ends as an argument of `mount`, as a path below a share, and as a field of an
// identifier that is kept for years.

import type { CallRefused } from '#kube/grpc/served-method.ts'

/** Whether a segment of a path leads up. A backslash counts as a slash: servers on Windows take it for one. */
function leadsUp(path: string): boolean {
  return path.split(/[/\\]/).includes('..')
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these very characters end lines of tables and texts in C
const control = /[\u0000-\u001f\u007f]/

/** Upstream's words, by which people search. */
const traversal = 'path contains directory traversal sequence'

/** What is wrong with a path that exists already, in an identifier or a PersistentVolume; undefined where nothing is. */
export function pathProblem(path: string): string | undefined {
  if (leadsUp(path)) return traversal
  if (control.test(path)) return 'path contains a control character'
  return undefined
}

/** The same for a path that is to be kept in an identifier from now on. */
export function newPathProblem(path: string): string | undefined {
  const [found] = /[#,]/.exec(path) ?? []
  return pathProblem(path) ?? (found === undefined ? undefined : `path contains ${JSON.stringify(found)}`)
}

/** What is wrong with the name of a server; undefined where nothing is. */
export function serverProblem(server: string): string | undefined {
  if (control.test(server) || /[\s#,]/.test(server)) return 'expected a name or an address without blanks, "#" and ","'
  // It would be taken for an option of `mount`.
  if (server.startsWith('-')) return 'expected a name or an address that does not begin with "-"'
  return undefined
}

/** Without slashes at both ends, as identifiers have it. */
export const stripped = (path: string): string => path.replace(/^\/+|\/+$/g, '')

/** The path without empty and `.` segments, relative; empty where it names the share itself. */
export function cleanPath(path: string): string {
  return path
    .split('/')
    .filter(segment => segment !== '' && segment !== '.')
    .join('/')
}

/**
 * Bits that `mountPermissions` of a class, a volume or a flag says; 0 where it says none.
 * @throws CallRefused where it is no octal number of at most 32 bits
 */
export function permissionBits(text: string, invalid: (text: string) => CallRefused): number {
  if (text === '') return 0
  if (!/^[0-7]+$/.test(text)) throw invalid(text)
  const bits = Number.parseInt(text, 8)
  if (bits >= 2 ** 32) throw invalid(text)
  return bits
}
