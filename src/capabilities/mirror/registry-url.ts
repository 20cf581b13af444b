// Registries and mirrors as upstream's flags have them: `https://ghcr.io`, `http://10.0.0.7:30020`, or all of them.
import type { Parsed, Problem } from '#kube/problem.ts'
import { isRegistry } from './reference.ts'

export interface RegistryUrl {
  readonly scheme: 'http' | 'https'
  /** With its port where it has one; IPv6 in brackets. */
  readonly host: string
}

/** Every registry that no other entry names. */
export const wildcard = '_default'

/** An entry of the mirrored registries: a URL without a path, or `_default` (also `*`). */
export function parseMirroredRegistry(text: string, where = 'mirroredRegistries'): Parsed<RegistryUrl | typeof wildcard> {
  if (text === wildcard || text === '*') return { ok: true, value: wildcard }
  return parseRegistryUrl(text, where)
}

/** `scheme://host[:port]` and nothing else. */
export function parseRegistryUrl(text: string, where: string): Parsed<RegistryUrl> {
  const no = (expected: string): { ok: false; problem: Problem } => ({
    ok: false,
    problem: { code: 'registry-url', where, found: text, expected },
  })
  const url = URL.parse(text)
  if (url === null) return no('a registry such as "https://ghcr.io"')
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return no('scheme must be http or https')
  if (url.username !== '' || url.password !== '') return no('user must be empty')
  if (url.pathname !== '/' || text.replace(/^[a-z]+:\/\//i, '').includes('/')) return no('path must be empty')
  if (url.search !== '' || text.includes('?')) return no('query must be empty')
  if (url.hash !== '' || text.includes('#')) return no('fragment must be empty')
  if (url.hostname === '') return no('a host')
  // Image names keep the port of a scheme, and directories are named after them; a URL drops it.
  const named = url.port === '' ? (/:[0-9]+$/.exec(text)?.[0] ?? '') : `:${url.port}`
  const host = `${url.hostname}${named}`
  // It becomes a directory's name, and part of scripts: URLs allow dollar signs, quotes and `..` in hosts.
  if (!isRegistry(host)) return no('a host of letters, digits, dots and dashes')
  return { ok: true, value: { scheme: url.protocol === 'https:' ? 'https' : 'http', host } }
}
