// Bootstrap by a file: an address a line. A ConfigMap that the kubelet mounts needs neither names service nor token nor network of pods.
import { readFile, stat } from 'node:fs/promises'
import type { Log } from '#kube/log.ts'
import { problemSentence } from '#kube/problem.ts'
import { type Contact, parseContact } from '../address.ts'
import type { Bootstrap } from './bootstrap-way.ts'

/** Addresses that are taken from a file; the rest is left out. */
export const mostInAFile = 64
const largestBootstrapFile = 64 * 1_024

/** Contacts of the text, and what of it is none. Empty lines and `#` are skipped. */
export function parseBootstrapFile(
  text: string,
  routerPort: number,
  where: string,
): { readonly contacts: readonly Contact[]; readonly problems: readonly string[] } {
  const contacts: Contact[] = []
  const problems: string[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const entry = line.replace(/#.*$/, '').trim()
    if (entry === '') continue
    const parsed = parseContact(entry, routerPort, `${where}:${index + 1}`)
    if (!parsed.ok) problems.push(problemSentence(parsed.problem))
    else if (contacts.length < mostInAFile) contacts.push(parsed.value)
  }
  return { contacts, problems }
}

/** Read again whenever it has changed. A line that is no address is logged once, and the others count. */
export function fileBootstrap(path: string, routerPort: number, log: Log): Bootstrap {
  let read: { readonly version: string; readonly contacts: readonly Contact[] } | undefined
  return {
    async find() {
      const { size, mtimeMs, ino } = await stat(path)
      const version = `${ino} ${size} ${mtimeMs}`
      if (read?.version === version) return read.contacts
      if (size > largestBootstrapFile) throw new Error(`${path} has ${size} bytes, at most ${largestBootstrapFile} are read`)
      const { contacts, problems } = parseBootstrapFile(await readFile(path, 'utf8'), routerPort, path)
      if (problems.length > 0) log.warn({ path, problems }, 'lines of the bootstrap file are no addresses')
      read = { version, contacts }
      return contacts
    },
  }
}
