// Which paths and servers may be spoken of. What a user can write ends as an argument of `mount`, as a path below a share, and as a field of an
// identifier that is kept for years.

import type { CallRefused } from '#kube/grpc/served-method.ts'
import { longestPart, mostParts } from '../files/relative-path.ts'

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
  return pathProblem(path) ?? (found === undefined ? sizeProblem(path) : `path contains ${JSON.stringify(found)}`)
}

/** What no server can make, or no worker on files would take. */
function sizeProblem(path: string): string | undefined {
  const parts = cleanPath(path).split('/')
  if (parts.length > mostParts) return `path has ${parts.length} parts, expected at most ${mostParts}`
  const bytes = Math.max(...parts.map(part => Buffer.byteLength(part)))
  return bytes > longestPart ? `a part of the path has ${bytes} bytes, expected at most ${longestPart}` : undefined
}

/** Folders in which a driver keeps records, and what it removes. */
const ownPrefix = '.ballast-'

/** What is wrong with the folder of a volume or a snapshot below its share, whoever names it; undefined where nothing is. */
export function folderProblem(path: string): string | undefined {
  const problem = pathProblem(path)
  if (problem !== undefined) return problem
  // Servers may take both cases for one.
  const own = path.split('/').find(part => part.toLowerCase().startsWith(ownPrefix))
  return own === undefined ? undefined : `path contains ${JSON.stringify(own)}: such folders are the driver's own`
}

const hostName = /^\w[\w.-]*$/
/** With a zone, or one of IPv4 in it; brackets or none. */
const address = /^\[?[\da-f]*:[\da-f:]*:[\da-f:.]*(?:%[\w.-]+)?\]?$/i
const longestServer = 253

/** What is wrong with the name of a server, which is an argument of `mount` and a field of identifiers; undefined where nothing is. */
export function serverProblem(server: string): string | undefined {
  // Slashes at its ends were taken by upstream, and are in nobody's identifiers.
  const name = stripped(server)
  if (name.length > longestServer) return `found ${name.length} characters, expected at most ${longestServer}`
  if (hostName.test(name) || address.test(name)) return undefined
  return 'expected a name such as nas.example.com, or an address such as 192.0.2.1 or fd00::1'
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
