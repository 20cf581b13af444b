// The media type of content by what it says itself: registries and containerd's store keep content without one.
const emptyType = 'application/vnd.oci.empty.v1+json'
const indexType = 'application/vnd.oci.image.index.v1+json'
const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const configType = 'application/vnd.oci.image.config.v1+json'
export const binaryType = 'application/octet-stream'

/** Content above this many bytes is not looked into: no manifest is so large. */
export const largestFingerprint = 4 * 1024 * 1024

const manifestTypes: ReadonlySet<string> = new Set([
  indexType,
  manifestType,
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
])
/** What can be sent as a header: a content may call itself anything. */
const typeForm = /^[A-Za-z0-9][\w.+-]{0,126}\/[A-Za-z0-9][\w.+-]{0,126}$/

/** Whether it is one that `/manifests/` answers. */
export const isManifestType = (mediaType: string): boolean => manifestTypes.has(mediaType)

/** Whether the first bytes may begin a JSON object; most layers are told by their first byte. */
export function mayBeJson(head: Uint8Array): boolean {
  const first = head.find(byte => !isSpace(byte))
  return first === openBrace
}

/** Media type of the whole content; `application/octet-stream` where it is no JSON object, or one of another kind. */
export function mediaTypeOf(content: Uint8Array): string {
  if (content.length > largestFingerprint || !mayBeJson(content)) return binaryType
  if (content.length === 2) return emptyType
  const object = firstObject(content)
  if (object === undefined) return binaryType
  const { schemaVersion, mediaType, manifests, config, layers, architecture, os, rootfs } = object
  if (schemaVersion === 2 && typeof mediaType === 'string') return typeForm.test(mediaType) ? mediaType : binaryType
  if (Array.isArray(manifests)) return indexType
  if (isObject(config) && Array.isArray(layers)) return manifestType
  if (typeof architecture === 'string' && typeof os === 'string' && rootfs !== undefined) return configType
  return binaryType
}

/** The JSON object that content begins with, whatever follows it; `undefined` where there is none. */
export function firstObject(content: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  const end = endOfObject(content)
  if (end === undefined) return undefined
  try {
    const parsed: unknown = JSON.parse(Buffer.from(content.buffer, content.byteOffset, end).toString('utf8'))
    return isObject(parsed) ? parsed : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined // only looks like one
    throw error
  }
}

const openBrace = 0x7b
const closeBrace = 0x7d
const quote = 0x22
const backslash = 0x5c

function endOfObject(content: Uint8Array): number | undefined {
  let depth = 0
  let isText = false
  for (let at = 0; at < content.length; at++) {
    const byte = content[at]
    if (isText) {
      if (byte === backslash) at++
      else if (byte === quote) isText = false
    } else if (byte === quote) isText = true
    else if (byte === openBrace) depth++
    else if (byte === closeBrace && --depth === 0) return at + 1
  }
  return undefined
}

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
