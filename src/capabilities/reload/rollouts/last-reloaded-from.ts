// The pod template's annotation `reloader.stakater.com/last-reloaded-from`: written as upstream v1.4 does, read in its form and in that of
// the v2 branch.
import { type Fields, fieldOf, isFields, textIn } from '#cluster/loose-fields.ts'
import { parseTime } from '#kube/time/time.ts'
import type { SourceReference } from '../sources/source-state.ts'
import { writtenType } from './variable-name.ts'

interface LastReload {
  /** `CONFIGMAP`, `SECRET`, `SECRETPROVIDERCLASS`, or whatever another version writes. */
  readonly type: string
  readonly name: string
  readonly namespace: string
  readonly hash: string
  readonly containers: readonly string[]
  /** Milliseconds since 1970, whole seconds; `undefined`: not said. */
  readonly atMs: number | undefined
}

const longestText = 262_144

/** The annotation's text, its keys in upstream's order. */
export function writtenReload(
  source: SourceReference,
  { hash, container, nowMs }: { readonly hash: string; readonly container: string; readonly nowMs: number },
): string {
  const { type, name, namespace } = source
  return JSON.stringify({
    type: writtenType(type),
    name,
    namespace,
    hash,
    containerRefs: [container],
    observedAt: Math.floor(nowMs / 1_000),
  })
}

/** What the annotation's text says, in either form; `undefined` where it says nothing of the kind. */
export function readLastReload(text: string | undefined): LastReload | undefined {
  if (text === undefined || text.length > longestText) return undefined
  const fields = parsedFields(text)
  if (fields === undefined) return undefined
  const [type, name, hash] = [textIn(fields, 'type') ?? textIn(fields, 'kind'), textIn(fields, 'name'), textIn(fields, 'hash')]
  if (type === undefined || name === undefined || hash === undefined) return undefined
  return {
    type: type.toUpperCase(),
    name,
    namespace: textIn(fields, 'namespace') ?? '',
    hash,
    containers: textsOf(fieldOf(fields, 'containerRefs') ?? fieldOf(fields, 'containers')),
    atMs: momentOf(fieldOf(fields, 'observedAt') ?? fieldOf(fields, 'reloadedAt')),
  }
}

/** Whether the last reload was of this source. */
export function isOf({ type, name, namespace }: LastReload, source: SourceReference): boolean {
  return type === writtenType(source.type) && name === source.name && namespace === source.namespace
}

function parsedFields(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isFields(value) ? value : undefined
  } catch (error) {
    // Somebody else's text in the annotation is no reload of ours.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : []
}

/** Unix seconds in v1.4, RFC 3339 in v2. */
function momentOf(value: unknown): number | undefined {
  if (typeof value === 'number' && Number.isFinite(value)) return value * 1_000
  const parsed = typeof value === 'string' ? parseTime(value) : undefined
  return parsed?.ok === true ? parsed.value : undefined
}
