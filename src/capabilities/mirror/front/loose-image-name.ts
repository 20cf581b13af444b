// Names of images as people type them, who leave out what everybody knows.
import { type ImageName, isRegistry, isRepository, isTag, parseDigest, parseImageName } from '../reference.ts'

/** As people write it: `busybox` is `docker.io/library/busybox:latest`. */
export function looseImageName(text: string): ImageName | undefined {
  const strict = parseImageName(text)
  if (strict !== undefined && /[.:]|^localhost$/.test(strict.registry)) return strict
  const [named = '', digestText, ...more] = text.split('@')
  if (more.length > 0) return undefined
  const slash = named.indexOf('/')
  const first = slash < 0 ? '' : named.slice(0, slash)
  const hasRegistry = /[.:]/.test(first) || first === 'localhost'
  const registry = hasRegistry ? first : 'docker.io'
  const rest = hasRegistry ? named.slice(slash + 1) : named
  const colon = rest.lastIndexOf(':')
  const bare = colon < 0 ? rest : rest.slice(0, colon)
  const repository = registry === 'docker.io' && !bare.includes('/') ? `library/${bare}` : bare
  const digest = digestText === undefined ? undefined : parseDigest(digestText)
  if (digestText !== undefined && digest === undefined) return undefined
  const tag = colon < 0 ? (digest === undefined ? 'latest' : undefined) : rest.slice(colon + 1)
  if (!isRegistry(registry) || !isRepository(repository) || (tag !== undefined && !isTag(tag))) return undefined
  return { registry, repository, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) }
}
