// Warning headers: what a client should know although its request is answered, or beside the reason why it is not.
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, isSame, itemsAt, listAt, textAt } from '../../json-value.ts'
import type { TwinRequest, TwinResponse } from '../request.ts'
import type { ResourceType } from '../resource-type.ts'

const noted = new WeakMap<TwinRequest, readonly string[]>()

/** Remembers what was found in a request's body, for an answer that is a refusal. */
export function noteWarnings(request: TwinRequest, texts: readonly string[]): void {
  if (texts.length > 0) noted.set(request, [...(noted.get(request) ?? []), ...texts])
}

/** A refusal with what was noted about its request. */
export function withNotedWarnings(request: TwinRequest, answer: TwinResponse): TwinResponse {
  return withWarnings(answer, noted.get(request) ?? [])
}

const deprecations: Readonly<Record<string, { readonly minor: number; readonly text: string }>> = {
  componentstatuses: { minor: 19, text: 'v1 ComponentStatus is deprecated in v1.19+' },
  endpoints: { minor: 33, text: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice' },
}

/** What is said of a resource that is on its way out, whatever the answer is. */
export function deprecationTexts(type: ResourceType, minor: number): readonly string[] {
  const found = type.group === '' && Object.hasOwn(deprecations, type.key) ? deprecations[type.key] : undefined
  return found === undefined || minor < found.minor ? [] : [found.text]
}

/** Leaves out owners that stand there twice, and says so; `when` is told where the request did not bring them as they are. */
export function dedupOwners(object: Draft, when = ''): readonly string[] {
  const metadata = fieldsAt(object, 'metadata')
  const owners = itemsAt(metadata, 'ownerReferences')
  const isRepeated = (owner: Draft, index: number) => owners.findIndex(other => isSame(other, owner)) < index
  const repeated = owners.filter(isRepeated)
  if (metadata === undefined || repeated.length === 0) return []
  object['metadata'] = { ...metadata, ownerReferences: owners.filter((owner, index) => !isRepeated(owner, index)) }
  const uids = repeated.map(owner => textAt(owner, 'uid') ?? '').join(', ')
  return [
    `.metadata.ownerReferences contains duplicate entries${when === '' ? '' : ` ${when}`}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${uids}`,
  ]
}

/** The answer with further warnings. */
export function withWarnings(answer: TwinResponse, texts: readonly string[]): TwinResponse {
  const headers = warningHeaders(texts)
  const before = answer.headers['warning']
  if (headers['warning'] === undefined) return answer
  const warning = before === undefined ? headers['warning'] : `${before}, ${headers['warning']}`
  return { ...answer, headers: { ...answer.headers, warning } }
}

/** What is said of finalizers that a custom object gets: of names that another may have, too. */
export function finalizerWarnings(object: Draft, before: KubeObject | undefined): readonly string[] {
  const known = new Set(listAt(before, 'metadata', 'finalizers').map(String))
  const added = new Set(listAt(object, 'metadata', 'finalizers').map(String)).difference(known)
  return [...added]
    .filter(name => !name.includes('/'))
    .toSorted()
    .map(
      name =>
        `metadata.finalizers: ${JSON.stringify(name)}: prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers`,
    )
}

/** What is said of the deletion of a Job that does not tell what is to become of its pods. */
export const keptPodsWarning =
  'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning'

/** Where a request's warnings are longer than that, each is cut. */
const mostWarningCharacters = 4_096
const longestWarning = 256

/** Headers are bytes: UTF-8 goes through as such, what no header may have is escaped. */
function headerText(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text
  return Buffer.from(text.replaceAll('\x7f', '\\u007f')).toString('latin1')
}

/** Warning headers, as RFC 7234 has them. */
export function warningHeaders(texts: readonly string[]): Record<string, string> {
  if (texts.length === 0) return {}
  const all = texts.reduce((sum, text) => sum + text.length, 0)
  const shown = all <= mostWarningCharacters ? texts : texts.map(text => text.slice(0, longestWarning))
  return { warning: headerText(shown.map(text => `299 - ${JSON.stringify(text)}`).join(', ')) }
}
