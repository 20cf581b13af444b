// Warning headers: what a client should know although its request is answered, or beside the reason why it is not.
import type { TwinRequest, TwinResponse } from './request.ts'
import type { ResourceType } from './resource-type.ts'

const noted = new WeakMap<TwinRequest, readonly string[]>()

/** Remembers what was found in a request's body, for an answer that is a refusal. */
export function noteWarnings(request: TwinRequest, texts: readonly string[]): void {
  if (texts.length > 0) noted.set(request, texts)
}

/** A refusal with what was noted about its request. */
export function withNotedWarnings(request: TwinRequest, answer: TwinResponse): TwinResponse {
  return withWarnings(answer, noted.get(request) ?? [])
}

const deprecations: Readonly<Record<string, { readonly minor: number; readonly text: string }>> = {
  componentstatuses: { minor: 19, text: 'v1 ComponentStatus is deprecated in v1.19+' },
  endpoints: { minor: 33, text: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice' },
}

/** An answer about a resource that is on its way out says so. */
export function withDeprecation(type: ResourceType, minor: number, answer: TwinResponse): TwinResponse {
  const found = type.group === '' && Object.hasOwn(deprecations, type.key) ? deprecations[type.key] : undefined
  return found === undefined || minor < found.minor ? answer : withWarnings(answer, [found.text])
}

function withWarnings(answer: TwinResponse, texts: readonly string[]): TwinResponse {
  const headers = warningHeaders(texts)
  const before = answer.headers['warning']
  if (headers['warning'] === undefined) return answer
  const warning = before === undefined ? headers['warning'] : `${before}, ${headers['warning']}`
  return { ...answer, headers: { ...answer.headers, warning } }
}

/** Warning headers, as RFC 7234 has them. */
export function warningHeaders(texts: readonly string[]): Record<string, string> {
  if (texts.length === 0) return {}
  return { warning: texts.map(text => `299 - ${JSON.stringify(text)}`).join(', ') }
}
