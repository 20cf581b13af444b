// Short ways to write the requests of the tables.
import type { BadInputCase, BadInputGroup } from './case.ts'
import type { WireRequest } from './wire.ts'

export type Body = Readonly<Record<string, unknown>>

export const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const

export const protobufType = 'application/vnd.kubernetes.protobuf'

/** A request with a body; objects are sent as JSON, text and bytes as they are. */
export function sent(
  verb: 'POST' | 'PUT' | 'DELETE' | 'PATCH',
  path: string,
  body: unknown,
  contentType = 'application/json',
): WireRequest {
  const bytes = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
  return { verb, path, headers: { 'content-type': contentType }, body: bytes }
}

export const got = (path: string): WireRequest => ({ verb: 'GET', path })

/** A group in a namespace of its own name, with the ServiceAccount its pods need. */
export function groupIn(
  name: string,
  more: { readonly setUp?: readonly WireRequest[]; readonly cases: readonly BadInputCase[] },
): BadInputGroup {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } }
  return {
    name,
    setUp: [
      sent('POST', '/api/v1/namespaces', namespace),
      sent('POST', `/api/v1/namespaces/${name}/serviceaccounts`, account),
      ...(more.setUp ?? []),
    ],
    cases: more.cases,
  }
}

/** A table of named inputs, each made into a request. */
export function casesOf<Input>(
  inputs: Readonly<Record<string, Input>>,
  request: (input: Input, name: string) => BadInputCase['request'],
  prefix = '',
): readonly BadInputCase[] {
  return Object.entries(inputs).map(([name, input]) => ({ name: `${prefix}${name}`, request: request(input, name) }))
}

export function configMap(name: string, more: Body = {}): Body {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...more }
}

export function pod(name: string, spec: Body = {}, container: Body = {}, metadata: Body = {}): Body {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...metadata },
    spec: { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'nginx:1.28', ...container }], ...spec },
  }
}

export function deployment(name: string, spec: Body = {}): Body {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'nginx:1.28' }] } },
      ...spec,
    },
  }
}

/** A text of a value that holds itself `depth` times. */
export function nested(depth: number, open: string, close: string, inner = '1'): string {
  return open.repeat(depth) + inner + close.repeat(depth)
}
