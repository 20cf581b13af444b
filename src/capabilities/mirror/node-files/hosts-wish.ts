// Reads the arguments of everything that makes hosts files. All that is wrong is told at once, before a file is touched.
import { isIPv6 } from 'node:net'
import { InputError, type Problem } from '#kube/problem.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { parseMirroredRegistry, parseRegistryUrl, type RegistryUrl, wildcard } from '../registry-url.ts'
import { basicAuthorization, type HostBlock, hostsFileText, serverLine } from './hosts-text.ts'
import type { HostsWish } from './options.ts'

/** A registry that has a directory of its own, or all others together. */
export interface HostsDirectory {
  /** `ghcr.io`, `foo.bar:5000`, `_default` */
  readonly name: string
  readonly registry: RegistryUrl | undefined
}

export interface ParsedHosts {
  readonly directories: readonly HostsDirectory[]
  readonly hosts: readonly HostBlock[]
}

const most = 256

/** @throws InputError with every problem */
export function parseHostsWish(wish: HostsWish): ParsedHosts {
  const problems: Problem[] = []
  const directories = directoriesOf(wish.mirroredRegistries, problems)
  const targets = targetsOf(wish.mirrorTargets, problems)
  checkTimeout(wish.dialTimeout, problems)
  if (problems.length > 0) throw new InputError(problems)
  const capabilities = wish.resolveTags ? ['pull', 'resolve'] : ['pull']
  const authorization = basicAuthorization(wish.basicAuth)
  const hosts = targets.map(url => ({ url, capabilities, dialTimeout: wish.dialTimeout, authorization }))
  return { directories, hosts }
}

/** What `hosts.toml` of a directory says where nothing was configured before; no newline at its end. */
export function plainHostsText({ registry }: HostsDirectory, hosts: readonly HostBlock[]): string {
  return hostsFileText({ top: serverLine(registry), hosts, rest: [] })
}

function directoriesOf(texts: readonly string[], problems: Problem[]): readonly HostsDirectory[] {
  if (texts.length === 0) return [{ name: wildcard, registry: undefined }]
  if (texts.length > most) problems.push(tooMany('mirroredRegistries', texts.length))
  const seen = new Map<string, number>()
  return texts.slice(0, most).flatMap((text, index): readonly HostsDirectory[] => {
    const where = `mirroredRegistries[${index}]`
    const parsed = parseMirroredRegistry(text, where)
    if (!parsed.ok) {
      problems.push(parsed.problem)
      return []
    }
    const registry = parsed.value === wildcard ? undefined : parsed.value
    const name = registry?.host ?? wildcard
    const before = seen.get(name)
    seen.set(name, index)
    if (before === undefined) return [{ name, registry }]
    const expected = `each registry once: mirroredRegistries[${before}] is ${name}, too`
    problems.push({ code: 'registry-twice', where, found: text, expected })
    return []
  })
}

function targetsOf(texts: readonly string[], problems: Problem[]): readonly string[] {
  if (texts.length === 0)
    problems.push({
      code: 'mirror-target-missing',
      where: 'mirrorTargets',
      found: '',
      expected: 'at least one mirror such as "http://10.0.0.7:30020"',
    })
  if (texts.length > most) problems.push(tooMany('mirrorTargets', texts.length))
  const urls = texts.slice(0, most).flatMap((text, index): readonly string[] => {
    const where = `mirrorTargets[${index}]`
    if (text === wildcard || text === '*') {
      problems.push({ code: 'mirror-target-wildcard', where, found: text, expected: 'one mirror: a wildcard is none' })
      return []
    }
    const parsed = parseRegistryUrl(bracketed(text), where)
    if (!parsed.ok) problems.push(parsed.problem)
    return parsed.ok ? [`${parsed.value.scheme}://${parsed.value.host}`] : []
  })
  // A host that stands twice makes the file invalid, and containerd takes an invalid file for none.
  return [...new Set(urls)]
}

const tooMany = (where: string, count: number): Problem => ({
  code: 'too-many-registries',
  where,
  found: `${count} entries`,
  expected: `at most ${most}`,
})

/** `http://fd00::7:30020` as `http://[fd00::7]:30020`: the last group is the port, unless only the whole is an address. */
export function bracketed(text: string): string {
  const match = /^([a-z]+:\/\/)([0-9a-f:.]+)$/i.exec(text)
  const [, scheme = '', rest = ''] = match ?? []
  if (match === null || rest.split(':').length < 3) return text
  const colon = rest.lastIndexOf(':')
  const [host, port] = [rest.slice(0, colon), rest.slice(colon + 1)]
  if (isIPv6(host) && /^[0-9]{1,5}$/.test(port)) return `${scheme}[${host}]:${port}`
  return isIPv6(rest) ? `${scheme}[${rest}]` : text
}

function checkTimeout(text: string, problems: Problem[]): void {
  if (text === '') return
  const parsed = parseDurationMs(text)
  // It becomes part of a TOML text: nothing but a duration may.
  if (parsed.ok && parsed.value > 0 && /^[0-9a-zµ.]+$/.test(text)) return
  problems.push({
    code: 'dial-timeout',
    where: 'dialTimeout',
    found: text,
    expected: 'a duration of more than zero such as "200ms"',
  })
}
