// Names of images as registries and containerd write them: digests, repositories, tags, and the keys they are announced under.
const digestForm = /^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/
const repositoryForm = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/
/** A host with an optional port; an IPv6 address in brackets. */
const registryForm = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/
const longestRegistry = 255
const longestRepository = 255

declare const checked: unique symbol

/** A digest that was read by {@link parseDigest}: only such a one may become part of a path. */
export type Digest = `sha${'256' | '384' | '512'}:${string}` & { readonly [checked]: true }

/** The digest, or `undefined` where the text is none: another algorithm, upper case, another length. */
export function parseDigest(text: string): Digest | undefined {
  return isDigest(text) ? text : undefined
}

function isDigest(text: string): text is Digest {
  return digestForm.test(text)
}

/** Name of the hash function as `node:crypto` has it, and the hexadecimal part. */
export function partsOfDigest(digest: Digest): { readonly algorithm: string; readonly hex: string } {
  const at = digest.indexOf(':')
  return { algorithm: digest.slice(0, at), hex: digest.slice(at + 1) }
}

export const isRepository = (text: string): boolean => text.length <= longestRepository && repositoryForm.test(text)
export const isTag = (text: string): boolean => tagForm.test(text)
/** Whether it can be the `ns` of a request: a registry's host as image names have it. */
export const isRegistry = (text: string): boolean => text.length <= longestRegistry && registryForm.test(text)

/** An image's name, taken apart; at least one of `tag` and `digest` is there. */
export interface ImageName {
  /** With its port where it has one: `registry.test:5000`. */
  readonly registry: string
  readonly repository: string
  readonly tag?: string
  readonly digest?: Digest
}

/** Strict, as containerd writes names: registry, repository, and a tag or a digest or both. `undefined` where it is none. */
export function parseImageName(text: string): ImageName | undefined {
  const slash = text.indexOf('/')
  if (slash <= 0) return undefined
  const registry = text.slice(0, slash)
  const [named = '', digestText, ...more] = text.slice(slash + 1).split('@')
  if (more.length > 0 || !isRegistry(registry)) return undefined
  const colon = named.lastIndexOf(':')
  const repository = colon < 0 ? named : named.slice(0, colon)
  const tag = colon < 0 ? undefined : named.slice(colon + 1)
  const digest = digestText === undefined ? undefined : parseDigest(digestText)
  if (!isRepository(repository) || (tag !== undefined && !isTag(tag))) return undefined
  if (digestText !== undefined && digest === undefined) return undefined
  if (tag === undefined && digest === undefined) return undefined
  return { registry, repository, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) }
}

/** What a tag is announced and looked up under: `docker.io/library/busybox:1.37.0`. */
export function tagKey({
  registry,
  repository,
  tag,
}: {
  readonly registry: string
  readonly repository: string
  readonly tag: string
}): string {
  return `${registry}/${repository}:${tag}`
}
