// Whether a value from the wire can be taken for an object at all: what every reader relies on, without a word about its kind.

/** What is wrong with `value` as an object, which must have a name where it `isNamed`; `undefined` for nothing. */
export function wrongShape(value: unknown, isNamed = false): string | undefined {
  if (!isRecord(value)) return 'it is no JSON object'
  const { metadata } = value
  if (!isRecord(metadata)) return 'it has no metadata'
  if (isNamed && !isText(metadata['name'])) return 'it has no name'
  for (const key of texts) if (!isAbsentOr(isText, metadata[key])) return `metadata.${key} is no text`
  for (const key of maps) if (!isAbsentOr(isTexts, metadata[key])) return `metadata.${key} is no map of texts`
  if (!isAbsentOr(isTextList, metadata['finalizers'])) return 'metadata.finalizers is no list of texts'
  if (!isAbsentOr(isOwners, metadata['ownerReferences'])) return 'metadata.ownerReferences is no list of owners'
  return undefined
}

/** As `wrongShape`, of an object that a collection holds: it has a name, and its spec and status can be looked into. */
export function wrongMember(value: unknown): string | undefined {
  const wrong = wrongShape(value)
  if (wrong !== undefined || !isRecord(value) || !isRecord(value['metadata'])) return wrong
  const { name } = value['metadata']
  if (!isText(name) || name === '') return 'it has no name'
  for (const key of ['spec', 'status']) if (!isAbsentOr(isRecord, value[key])) return `${key} is no object`
  return undefined
}

/** How a message calls a value that may be no object: its namespace and name, as far as it says them. */
export function nameForMessages(value: unknown): string {
  const metadata = isRecord(value) && isRecord(value['metadata']) ? value['metadata'] : {}
  const { namespace, name } = metadata
  const own = isText(name) ? name : 'an object without a name'
  return isText(namespace) ? `${namespace}/${own}` : own
}

const texts = ['name', 'namespace', 'uid', 'resourceVersion', 'deletionTimestamp'] as const
const maps = ['labels', 'annotations'] as const

/** Whether `value` is a JSON object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isAbsentOr(is: (value: unknown) => boolean, value: unknown): boolean {
  return value === undefined || is(value)
}

function isTexts(value: unknown): boolean {
  if (!isRecord(value)) return false
  for (const key in value) if (typeof value[key] !== 'string') return false
  return true
}

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every(isText)
}

function isOwners(value: unknown): boolean {
  return Array.isArray(value) && value.every(one => isRecord(one) && isText(one['uid']))
}
