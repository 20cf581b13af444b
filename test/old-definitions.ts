// A cluster with the first definitions of our kinds and objects that have every field of them, taken to the definitions of now.
import { deepStrictEqual, match, strictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { systemClock } from '#kube/clock.ts'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import { isRecord } from '#kube/objects/object-shape.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

/** A request to a cluster by its path, with a body. */
export type Send = (
  verb: 'GET' | 'POST' | 'PUT',
  path: string,
  body?: unknown,
) => Promise<{ readonly status: number; readonly body: unknown }>

/** The definitions as they were first installed, as text. */
export const oldDefinitionsText = readFileSync(join(import.meta.dirname, 'fixtures', 'definitions', 'first.yaml'), 'utf8')

/** The definitions as they were first installed. */
export const oldDefinitions: readonly KubeObject[] = parseAllDocuments(oldDefinitionsText)
  .map(document => document.toJSON() as KubeObject | null)
  .filter(one => one !== null)

/** What schemas say only in rules. */
const ruled: Readonly<Record<string, string>> = {
  'spec.taint.key': 'readiness.k8s.io/example',
  'spec.taint.effect': 'NoSchedule',
}

/** A value with every field of the schema; of words that may stand there, the one of this turn. */
function filled(schema: unknown, path: string, turn: number): unknown {
  const words = listAt(schema, 'enum')
  if (words.length > 0) return words[turn % words.length]
  const known = ruled[path]
  if (known !== undefined) return known
  if (at(schema, 'x-kubernetes-int-or-string') === true) return '1'
  const properties = at(schema, 'properties')
  if (isRecord(properties))
    return Object.fromEntries(
      Object.entries(properties).map(([name, inner]) => [name, filled(inner, path === '' ? name : `${path}.${name}`, turn)]),
    )
  switch (textAt(schema, 'type')) {
    case 'array':
      return [filled(at(schema, 'items'), `${path}[]`, turn)]
    case 'object':
      return at(schema, 'additionalProperties') === undefined
        ? {}
        : { a: filled(at(schema, 'additionalProperties'), `${path}.*`, turn) }
    case 'boolean':
      return turn % 2 === 0
    case 'integer':
    case 'number':
      return at(schema, 'minimum') ?? 1
    default:
      return textAt(schema, 'format') === 'date-time' ? '2026-11-21T20:33:54Z' : 'a'.repeat(Number(at(schema, 'minLength') ?? 1))
  }
}

/** How many objects it takes until each word stood somewhere. */
function turnsOf(schema: unknown): number {
  if (!isRecord(schema)) return 1
  return Math.max(listAt(schema, 'enum').length, 1, ...Object.values(schema).map(turnsOf))
}

/** Paths at which the second lacks or changed what the first says. */
function lost(before: unknown, after: unknown, path: string): readonly string[] {
  if (isRecord(before))
    return isRecord(after) ? Object.entries(before).flatMap(([key, value]) => lost(value, after[key], `${path}.${key}`)) : [path]
  if (Array.isArray(before))
    return Array.isArray(after) && after.length === before.length
      ? before.flatMap((value, index) => lost(value, after[index], `${path}[${index}]`))
      : [path]
  return before === after ? [] : [`${path}: ${JSON.stringify(before)} is ${JSON.stringify(after)}`]
}

const halves = ['spec', 'status'] as const
const definitionsPath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const establishedMs = 30_000

async function wanted(send: Send, ...request: Parameters<Send>): Promise<unknown> {
  const { status, body } = await send(...request)
  strictEqual(status >= 200 && status < 300, true, `${request[0]} ${request[1]}: ${status} ${JSON.stringify(body)}`)
  return body
}

/** A definition that was just made is served after a moment. */
async function served(send: Send, path: string): Promise<void> {
  const untilMs = performance.now() + establishedMs
  while ((await send('GET', path)).status !== 200) {
    strictEqual(performance.now() < untilMs, true, `${path} is not served`)
    await systemClock.after(100, AbortSignal.timeout(establishedMs))
  }
}

interface Upgrade {
  /** Makes the first definitions; by requests where it is absent. */
  readonly install?: () => Promise<void>
  readonly upgrade: () => Promise<void>
}

/** Makes the objects, upgrades, and holds that all is as it was and can be written. @returns the objects' number */
export async function upgradeOld(send: Send, { install, upgrade }: Upgrade): Promise<number> {
  await install?.()
  const before: { readonly path: string; readonly object: unknown }[] = []
  for (const definition of oldDefinitions) {
    if (install === undefined) await wanted(send, 'POST', definitionsPath, definition)
    const version = listAt(definition, 'spec', 'versions')[0]
    const schema = at(version, 'schema', 'openAPIV3Schema')
    const group = `${textAt(definition, 'spec', 'group')}/${textAt(version, 'name')}`
    const place = textAt(definition, 'spec', 'scope') === 'Cluster' ? '' : 'namespaces/default/'
    const collection = `/apis/${group}/${place}${textAt(definition, 'spec', 'names', 'plural')}`
    await served(send, collection)
    for (let turn = 0; turn < turnsOf(schema); turn += 1) {
      const [spec, status] = halves.map(half => filled(at(schema, 'properties', half), half, turn))
      const name = `turn-${turn}`
      const object = { apiVersion: group, kind: textAt(definition, 'spec', 'names', 'kind'), metadata: { name }, spec }
      const path = `${collection}/${name}`
      const strange = { ...object, spec: { ...(isRecord(spec) ? spec : {}), notOurs: 1 } }
      const refused = await send('POST', `${collection}?fieldValidation=Strict`, strange)
      strictEqual(refused.status, 400)
      match(textAt(refused.body, 'message') ?? '', /unknown field "spec\.notOurs"/)
      const created = await wanted(send, 'POST', `${collection}?fieldValidation=Strict`, object)
      const whole = await wanted(send, 'PUT', `${path}/status?fieldValidation=Strict`, {
        ...(isRecord(created) ? created : {}),
        status,
      })
      deepStrictEqual(lost({ spec, status }, whole, name), [])
      before.push({ path, object: whole })
    }
  }
  await upgrade()
  for (const { path, object } of before) {
    const found = await wanted(send, 'GET', path)
    for (const half of halves) deepStrictEqual(lost(at(object, half), at(found, half), `${path} ${half}`), [])
    const metadata = at(found, 'metadata')
    const labelled = {
      ...(isRecord(found) ? found : {}),
      metadata: { ...(isRecord(metadata) ? metadata : {}), labels: { seen: 'yes' } },
    }
    const written = await wanted(send, 'PUT', `${path}?fieldValidation=Strict`, labelled)
    const whole = await wanted(send, 'PUT', `${path}/status?fieldValidation=Strict`, written)
    for (const half of halves) deepStrictEqual(lost(at(object, half), at(whole, half), `${path} ${half}, written`), [])
  }
  for (const { metadata } of oldDefinitions) {
    const definition = await wanted(send, 'GET', `${definitionsPath}/${metadata.name}`)
    deepStrictEqual(listAt(definition, 'status', 'storedVersions'), ['v1alpha1'])
  }
  return before.length
}
